import {
  type AdamStepAttrs,
  FrugalError,
  KernelName,
  type LionStepAttrs,
  type MomentumStepAttrs,
  type SgdStepAttrs,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { dispatch, type Internals, replacement, type Uniform } from './dispatch.ts';
import { expectFloat, over, type Registration } from './over.ts';

/** An optimizer: its slots, its uniforms, and WGSL that goes from x = p[i], d = decay and d's gradient `grad` to the new ones. */
interface Rule<A extends SgdStepAttrs> {
  readonly name: string;
  readonly slots: readonly string[];
  readonly uniforms: (attrs: A) => readonly Uniform[];
  readonly code: string;
}

const WORKGROUP = 64;

/** One pass per parameter, in place: p, the slots and the gradient are bound as they are. */
function step<A extends SgdStepAttrs>(
  b: Internals,
  rule: Rule<A>,
  inputs: readonly tf.TensorInfo[],
  attrs: A,
): tf.TensorInfo[] {
  const { name, slots } = rule;
  const { count, learningRate, gradScale, decays } = attrs;
  if (inputs.length !== count * (2 + slots.length) || decays.length !== count) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `${name} takes ${count} parameters and gradients, ${slots.length} slots each and ${count} decays, got ${inputs.length} tensors and ${decays.length} decays.`,
    );
  }
  expectFloat(name, ...inputs);
  const common = rule.uniforms(attrs);
  const written = ['p', ...slots];
  const columns: tf.TensorInfo[][] = written.map(() => []);
  for (let i = 0; i < count; i++) {
    const of = (group: number): tf.TensorInfo => inputs[group * count + i]!;
    if (written.some((_, column) => !tf.util.arraysEqual(of(1).shape, of(column === 0 ? 0 : column + 1).shape))) {
      throw new FrugalError('BAD_ARGUMENT', `${name} takes equal shapes, those of parameter ${i} differ.`);
    }
    const targets = written.map((_, column) => replacement(b, of(column === 0 ? 0 : column + 1), inputs));
    for (const [column, target] of targets.entries()) columns[column]!.push(target);
    const n = tf.util.sizeFromShape(of(0).shape);
    dispatch(b, {
      key: `frugal ${name}`,
      code: () => `fn main(id: Ids) {
  let i = threadIndex(id);
  if (i >= u.n) { return; }
  let x = p[i];
  let grad = g[i] * u.scale;
  ${rule.code}
}`,
      writes: Object.fromEntries(written.map((key, column) => [key, targets[column]!])),
      reads: { g: of(1) },
      uniforms: [
        ['n', 'u32', n],
        ['rate', 'f32', learningRate],
        ['scale', 'f32', gradScale],
        ['decay', 'f32', decays[i]!],
        ...common,
      ],
      workgroups: Math.ceil(n / WORKGROUP),
      workgroupSize: WORKGROUP,
    });
  }
  return columns.flat();
}

function optimizer<A extends SgdStepAttrs>(rule: Rule<A>): Registration {
  return over(
    rule.name,
    () =>
      ({ inputs, attrs, backend }) =>
        step(backend, rule, inputs as unknown as tf.TensorInfo[], attrs as unknown as A),
  );
}

export const stepKernels: readonly Registration[] = [
  optimizer<SgdStepAttrs>({
    name: KernelName.SgdStep,
    slots: [],
    uniforms: () => [],
    code: 'p[i] = x - u.rate * (grad + u.decay * x);',
  }),
  optimizer<MomentumStepAttrs>({
    name: KernelName.MomentumStep,
    slots: ['m'],
    uniforms: ({ beta, nesterov }) => [
      ['beta', 'f32', beta],
      ['nesterov', 'u32', nesterov ? 1 : 0],
    ],
    code: `let d = grad + u.decay * x;
  let next = u.beta * m[i] + d;
  m[i] = next;
  p[i] = x - u.rate * select(next, d + u.beta * next, u.nesterov == 1u);`,
  }),
  optimizer<AdamStepAttrs>({
    name: KernelName.AdamStep,
    slots: ['m', 'v'],
    uniforms: ({ beta1, beta2, epsilon, step: t }) => [
      ['beta1', 'f32', beta1],
      ['rest1', 'f32', 1 - beta1],
      ['beta2', 'f32', beta2],
      ['rest2', 'f32', 1 - beta2],
      ['epsilon', 'f32', epsilon],
      ['correct1', 'f32', 1 / (1 - beta1 ** t)],
      ['correct2', 'f32', 1 / (1 - beta2 ** t)],
    ],
    code: `let first = u.beta1 * m[i] + u.rest1 * grad;
  let second = u.beta2 * v[i] + u.rest2 * grad * grad;
  m[i] = first;
  v[i] = second;
  p[i] = x - u.rate * (first * u.correct1 / (sqrt(second * u.correct2) + u.epsilon) + u.decay * x);`,
  }),
  optimizer<LionStepAttrs>({
    name: KernelName.LionStep,
    slots: ['m'],
    uniforms: ({ beta1, beta2 }) => [
      ['beta1', 'f32', beta1],
      ['rest1', 'f32', 1 - beta1],
      ['beta2', 'f32', beta2],
      ['rest2', 'f32', 1 - beta2],
    ],
    code: `let old = m[i];
  m[i] = u.beta2 * old + u.rest2 * grad;
  p[i] = x - u.rate * (sign(u.beta1 * old + u.rest1 * grad) + u.decay * x);`,
  }),
];
