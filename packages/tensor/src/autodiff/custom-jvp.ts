import * as tf from '@tensorflow/tfjs-core';
import { runBelow, visibleHandlers } from '../interpret/index.ts';
import type { Tree } from '../seams/index.ts';
import { assertSameStructure, treeUnflatten } from '../tree/index.ts';
import { DependencyPass } from './forward-pass.ts';
import { leavesOf, tidy } from './inputs.ts';
import type { JvpCall } from './jvp-call.ts';
import type { RuleEntry } from './rules/entry.ts';
import { tensorClock } from './tape.ts';

/**
 * The derivative of a function as its author says it.
 *
 * @param primals The arguments.
 * @param tangents In their structure, dense, zeros where zero.
 * @param out What the function returned.
 * @returns The tangent of `out`: same structure and shapes.
 */
export type CustomJvpRule<P extends readonly Tree[], O extends Tree> = (primals: P, tangents: P, out: O) => O;

/**
 * `f` with a derivative of one's own in forward mode: stabler, cheaper, or for kernels without rules.
 *
 *     const softplus = customJvp(
 *       (x: tf.Tensor) => tf.log1p(tf.exp(x)),
 *       ([x], [dx]) => tf.mul(dx, tf.sigmoid(x)),
 *     );
 *
 * The rule is a program too: nested passes differentiate it. Reverse mode (`valueAndGrad`, `tf.grads`) goes through the
 * kernels of `f`, or through its `tf.customGrad` if it has one.
 *
 * @param f From trees to a tree.
 * @param rule Its derivative, linear in the tangents.
 */
export function customJvp<P extends readonly Tree[], O extends Tree>(
  f: (...primals: P) => O,
  rule: CustomJvpRule<P, O>,
): (...primals: P) => O {
  return (...primals) => tidy(() => apply(f, rule, primals));
}

function apply<P extends readonly Tree[], O extends Tree>(
  f: (...primals: P) => O,
  rule: CustomJvpRule<P, O>,
  primals: P,
): O {
  const leaves = leavesOf(primals);
  const pass = visibleHandlers().findLast(
    (handler): handler is DependencyPass =>
      handler instanceof DependencyPass && !handler.paused && leaves.some((leaf) => handler.depends(leaf)),
  );
  if (pass === undefined) return f(...primals);
  const start = tensorClock();
  pass.paused = true;
  let out: O;
  try {
    out = apply(f, rule, primals); // the passes further out have their turn first
  } finally {
    pass.paused = false;
  }
  const results = leavesOf(out).map((leaf) => (leaf.id < start ? runBelow(pass, () => tf.clone(leaf)) : leaf));
  const byIndex = Object.fromEntries(leaves.entries());
  runBelow(pass, () => pass.follow('customJvp', byIndex, {}, results, entryOf(rule, primals, out)));
  return treeUnflatten(out, results);
}

/** The rule on flat lists; it sees the tensors of the call, which outlive those of the program in `linearize`. */
function entryOf<P extends readonly Tree[], O extends Tree>(rule: CustomJvpRule<P, O>, primals: P, out: O): RuleEntry {
  const flat = (call: JvpCall): tf.Tensor[] => {
    const names = Object.keys(call.inputs);
    const inputs = treeUnflatten(
      primals,
      names.map((name) => call.input(name)),
    );
    const tangents = treeUnflatten(
      primals,
      names.map((name) => call.dOrZeros(name)),
    );
    const tangent = rule(inputs, tangents, treeUnflatten(out, call.outputs));
    assertSameStructure(out, tangent);
    return leavesOf(tangent);
  };
  return { kind: 'by hand', many: false, rule: flat };
}
