import { type AdamStepAttrs, KernelName, type MomentumStepAttrs, type SgdStepAttrs } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { Attribute } from '../backend/native.ts';
import type { Handle, Ops, Registration } from '../backend/ops.ts';
import { Variables } from './variables.ts';

type Inputs = readonly tf.TensorInfo[];

const stores = new WeakMap<Ops, Variables>();

/** One store for all kernels of a backend: a parameter may see different optimizers. */
function variablesOf(ops: Ops): Variables {
  const known = stores.get(ops) ?? new Variables(ops);
  stores.set(ops, known);
  return known;
}

/** A gradient times a factor: a handle to delete, or the gradient itself. */
function scaled(ops: Ops, g: Handle, factor: number): Handle {
  return factor === 1 ? g : ops.one('Mul', ops.float, [g, ops.scalar(factor)]).id;
}

/** Runs `apply` with g·gradScale + decay·p, and frees what that took. */
function withDecayed(
  ops: Ops,
  p: Handle,
  g: Handle,
  [gradScale, decay]: readonly [number, number],
  read: readonly Attribute[],
  apply: (d: Handle) => void,
): void {
  const made: Handle[] = [];
  const keep = (handle: Handle): Handle => {
    if (handle !== g) made.push(handle);
    return handle;
  };
  let d = keep(scaled(ops, g, gradScale));
  if (decay !== 0) {
    const value = keep(ops.one('ReadVariableOp', read, [p]).id);
    const term = keep(ops.one('Mul', ops.float, [value, ops.scalar(decay)]).id);
    d = keep(ops.one('AddV2', ops.float, [d, term]).id);
    // The read shares the variable's memory: left alone, TensorFlow would copy before it changes it.
    ops.delete(value);
    made.splice(made.indexOf(value), 1);
  }
  apply(d);
  for (const handle of made) ops.delete(handle);
}

export const stepKernels: readonly Registration[] = [
  {
    name: KernelName.SgdStep,
    bind: (ops) => {
      const variables = variablesOf(ops);
      const [plain, read] = [[...ops.float, ops.bool('use_locking', false)], [ops.type('dtype', 'float32')]];
      return ({ inputs, attrs }) => {
        const { count, learningRate, gradScale, decays } = attrs as unknown as SgdStepAttrs;
        const all = inputs as unknown as Inputs;
        const [params, grads] = [all.slice(0, count), all.slice(count)];
        return variables.update(params, grads, (handles) => {
          for (const [i, p] of handles.entries()) {
            const g = ops.handle(grads[i]!);
            if (decays[i] === 0) {
              ops.none('ResourceApplyGradientDescent', plain, [p, ops.scalar(learningRate * gradScale), g]);
              continue;
            }
            withDecayed(ops, p, g, [gradScale, decays[i]!], read, (d) =>
              ops.none('ResourceApplyGradientDescent', plain, [p, ops.scalar(learningRate), d]),
            );
          }
        });
      };
    },
  },
  {
    name: KernelName.MomentumStep,
    bind: (ops) => {
      const variables = variablesOf(ops);
      const read = [ops.type('dtype', 'float32')];
      return ({ inputs, attrs }) => {
        const { count, learningRate, gradScale, decays, beta, nesterov } = attrs as unknown as MomentumStepAttrs;
        const all = inputs as unknown as Inputs;
        const grads = all.slice(count, 2 * count);
        const plain = [...ops.float, ops.bool('use_locking', false), ops.bool('use_nesterov', nesterov)];
        return variables.update([...all.slice(0, count), ...all.slice(2 * count)], grads, (handles) => {
          for (let i = 0; i < count; i++) {
            const [p, m] = [handles[i]!, handles[count + i]!];
            withDecayed(ops, p, ops.handle(grads[i]!), [gradScale, decays[i]!], read, (d) =>
              ops.none('ResourceApplyMomentum', plain, [p, m, ops.scalar(learningRate), d, ops.scalar(beta)]),
            );
          }
        });
      };
    },
  },
  {
    name: KernelName.AdamStep,
    bind: (ops) => {
      const variables = variablesOf(ops);
      const read = [ops.type('dtype', 'float32')];
      const assign = [...read, ops.bool('validate_shape', false)];
      const plain = [...ops.float, ops.bool('use_locking', false), ops.bool('use_nesterov', false)];
      return ({ inputs, attrs }) => {
        const a = attrs as unknown as AdamStepAttrs;
        const { count, learningRate, gradScale, decays, beta1, beta2, step } = a;
        const all = inputs as unknown as Inputs;
        const grads = all.slice(count, 2 * count);
        const [power1, power2] = [beta1 ** step, beta2 ** step];
        // TensorFlow adds ε to √v, we to √v̂ = √v / √(1 − β₂ᵗ).
        const epsilon = a.epsilon * Math.sqrt(1 - power2);
        const numbers = [power1, power2, learningRate, beta1, beta2, epsilon];
        return variables.update([...all.slice(0, count), ...all.slice(2 * count)], grads, (handles) => {
          for (let i = 0; i < count; i++) {
            const [p, m, v] = [handles[i]!, handles[count + i]!, handles[2 * count + i]!];
            if (decays[i] !== 0) shrink(ops, p, 1 - learningRate * decays[i]!, read, assign);
            const g = ops.handle(grads[i]!);
            const scaledGradient = scaled(ops, g, gradScale);
            const constants = numbers.map((value) => ops.scalar(value));
            ops.none('ResourceApplyAdam', plain, [p, m, v, ...constants, scaledGradient]);
            if (scaledGradient !== g) ops.delete(scaledGradient);
          }
        });
      };
    },
  },
];

/** p ← factor · p. */
function shrink(ops: Ops, p: Handle, factor: number, read: readonly Attribute[], assign: readonly Attribute[]): void {
  const value = ops.one('ReadVariableOp', read, [p]).id;
  const product = ops.one('Mul', ops.float, [value, ops.scalar(factor)]).id;
  ops.delete(value);
  ops.none('AssignVariableOp', assign, [p, product]);
  ops.delete(product);
}
