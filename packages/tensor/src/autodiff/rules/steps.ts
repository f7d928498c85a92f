import * as tf from '@tensorflow/tfjs-core';
import type { AdamStepAttrs, LionStepAttrs, MomentumStepAttrs, SgdStepAttrs } from '../../kernels/types.ts';
import type { JvpCall } from '../jvp-call.ts';
import type { RuleEntry, RuleTable } from './entry.ts';
import { sum } from './sum.ts';

/** A tangent, or zero. */
type Maybe = tf.Tensor | null;

const times = (x: Maybe | undefined, factor: number): Maybe => (x == null || factor === 0 ? null : tf.mul(x, factor));

/**
 * A rule for a step kernel, parameter by parameter.
 *
 * Parameters and slots were donated, so their values may be gone: rules look only at gradients and outputs.
 * `one` gets the tangents of p, of the scaled gradient and of the slots, and returns those of the outputs.
 */
function steps<Attrs extends SgdStepAttrs>(
  slots: number,
  one: (at: { call: JvpCall; i: number; attrs: Attrs; decay: number; dp: Maybe; dg: Maybe; slots: Maybe[] }) => Maybe[],
): RuleEntry {
  return {
    kind: 'by hand',
    many: true,
    rule: (call) => {
      const attrs = call.attrs as unknown as Attrs;
      const { count } = attrs;
      const columns: Maybe[][] = Array.from({ length: 1 + slots }, () => []);
      for (let i = 0; i < count; i++) {
        const at = (list: number): Maybe => call.d(String(list * count + i)) ?? null;
        const dg = times(at(1), attrs.gradScale);
        const old = Array.from({ length: slots }, (_, slot) => at(2 + slot));
        const made = one({ call, i, attrs, decay: attrs.decays[i] ?? 0, dp: at(0), dg, slots: old });
        for (const [column, tangent] of made.entries()) columns[column]!.push(tangent);
      }
      return columns.flat();
    },
  };
}

/** Rules of the optimizer steps, so that training steps can be differentiated. */
export const stepRules: RuleTable = {
  FrugalSgdStep: steps<SgdStepAttrs>(0, ({ attrs, decay, dp, dg }) => [
    sum(dp, times(sum(dg, times(dp, decay)), -attrs.learningRate)),
  ]),
  FrugalMomentumStep: steps<MomentumStepAttrs>(1, ({ attrs, decay, dp, dg, slots: [dm] }) => {
    const d = sum(dg, times(dp, decay));
    const next = sum(times(dm, attrs.beta), d);
    const direction = attrs.nesterov ? sum(d, times(next, attrs.beta)) : next;
    return [sum(dp, times(direction, -attrs.learningRate)), next];
  }),
  FrugalAdamStep: steps<AdamStepAttrs>(2, ({ call, i, attrs, decay, dp, dg, slots: [dm, dv] }) => {
    const { beta1, beta2, epsilon, step, learningRate, gradScale, count } = attrs;
    const [m, v] = [call.outputs[count + i]!, call.outputs[2 * count + i]!];
    const g = call.input(String(count + i));
    const nextM = sum(times(dm, beta1), times(dg, 1 - beta1));
    const nextV = sum(times(dv, beta2), dg && tf.mul(dg, tf.mul(g, 2 * (1 - beta2) * gradScale)));
    const [scaleM, scaleV] = [1 / (1 - beta1 ** step), 1 / (1 - beta2 ** step)];
    const root = tf.sqrt(tf.mul(v, scaleV));
    const denominator = tf.add(root, epsilon);
    // (m̂ / (√v̂ + ε))˙ = m̂˙/(√v̂ + ε) − m̂·v̂˙/(2·√v̂·(√v̂ + ε)²)
    const byM = nextM && tf.div(tf.mul(nextM, scaleM), denominator);
    // 0 where v is: a gradient that was never there.
    const slope = (): tf.Tensor => tf.divNoNan(tf.mul(m, -0.5 * scaleM * scaleV), tf.mul(root, tf.square(denominator)));
    const direction = sum(byM, nextV && tf.mul(nextV, slope()), times(dp, decay));
    return [sum(dp, times(direction, -learningRate)), nextM, nextV];
  }),
  FrugalLionStep: steps<LionStepAttrs>(1, ({ attrs, decay, dp, dg, slots: [dm] }) => [
    sum(dp, times(dp, -attrs.learningRate * decay)),
    sum(times(dm, attrs.beta2), times(dg, 1 - attrs.beta2)),
  ]),
};
