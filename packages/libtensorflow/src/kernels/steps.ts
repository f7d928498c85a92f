import { type AdamStepAttrs, KernelName, type MomentumStepAttrs, type SgdStepAttrs } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { Handle, Ops, Plan, Registration } from '../backend/ops.ts';
import { Variables } from './variables.ts';

type Inputs = readonly tf.TensorInfo[];

/** What the steps share. */
interface Shared {
  readonly variables: Variables;
  readonly read: Plan;
  readonly mul: Plan;
  readonly add: Plan;
  readonly assign: (...inputs: Handle[]) => void;
}

const stores = new WeakMap<Ops, Shared>();

/** One store for all kernels of a backend: a parameter may see different optimizers. */
function sharedOf(ops: Ops): Shared {
  const known = stores.get(ops);
  if (known !== undefined) return known;
  const type = [ops.type('dtype', 'float32')];
  const made = {
    variables: new Variables(ops),
    read: ops.plan('ReadVariableOp', type),
    mul: ops.plan('Mul'),
    add: ops.plan('AddV2'),
    assign: ops.action('AssignVariableOp', [...type, ops.bool('validate_shape', false)]),
  };
  stores.set(ops, made);
  return made;
}

/**
 * Runs `apply` with g·gradScale + decay·p, and frees what that took.
 *
 * Reads of p are gone by then: they share the variable's memory, and TensorFlow would copy it before it changes it.
 */
function withDecayed(
  ops: Ops,
  p: Handle,
  g: Handle,
  gradScale: number,
  decay: number,
  apply: (d: Handle) => void,
): void {
  const { read, mul, add } = sharedOf(ops);
  let d = gradScale === 1 ? g : mul(g, ops.scalar(gradScale)).id;
  if (decay !== 0) {
    const value = read(p).id;
    const term = mul(value, ops.scalar(decay)).id;
    const sum = add(d, term).id;
    for (const handle of [value, term, ...(d === g ? [] : [d])]) ops.delete(handle);
    d = sum;
  }
  apply(d);
  if (d !== g) ops.delete(d);
}

export const stepKernels: readonly Registration[] = [
  {
    name: KernelName.SgdStep,
    bind(ops) {
      const { variables } = sharedOf(ops);
      const apply = ops.action('ResourceApplyGradientDescent', [...ops.float, ops.bool('use_locking', false)]);
      return ({ inputs, attrs }) => {
        const { count, learningRate, gradScale, decays } = attrs as unknown as SgdStepAttrs;
        const all = inputs as unknown as Inputs;
        const [params, grads] = [all.slice(0, count), all.slice(count)];
        return variables.update(params, grads, (handles) => {
          for (const [i, p] of handles.entries()) {
            const g = ops.handle(grads[i]!);
            if (decays[i] === 0) apply(p, ops.scalar(learningRate * gradScale), g);
            else withDecayed(ops, p, g, gradScale, decays[i]!, (d) => apply(p, ops.scalar(learningRate), d));
          }
        });
      };
    },
  },
  {
    name: KernelName.MomentumStep,
    bind(ops) {
      const { variables } = sharedOf(ops);
      const plain = [...ops.float, ops.bool('use_locking', false)];
      const heavyBall = ops.action('ResourceApplyMomentum', [...plain, ops.bool('use_nesterov', false)]);
      const lookingAhead = ops.action('ResourceApplyMomentum', [...plain, ops.bool('use_nesterov', true)]);
      return ({ inputs, attrs }) => {
        const { count, learningRate, gradScale, decays, beta, nesterov } = attrs as unknown as MomentumStepAttrs;
        const all = inputs as unknown as Inputs;
        const grads = all.slice(count, 2 * count);
        const apply = nesterov ? lookingAhead : heavyBall;
        return variables.update([...all.slice(0, count), ...all.slice(2 * count)], grads, (handles) => {
          for (let i = 0; i < count; i++) {
            const [p, m] = [handles[i]!, handles[count + i]!];
            withDecayed(ops, p, ops.handle(grads[i]!), gradScale, decays[i]!, (d) =>
              apply(p, m, ops.scalar(learningRate), d, ops.scalar(beta)),
            );
          }
        });
      };
    },
  },
  {
    name: KernelName.AdamStep,
    bind(ops) {
      const { variables, read, mul, assign } = sharedOf(ops);
      const plain = [...ops.float, ops.bool('use_locking', false), ops.bool('use_nesterov', false)];
      const apply = ops.action('ResourceApplyAdam', plain);
      /** p ← factor · p. */
      const shrink = (p: Handle, factor: number): void => {
        const value = read(p).id;
        const product = mul(value, ops.scalar(factor)).id;
        ops.delete(value);
        assign(p, product);
        ops.delete(product);
      };
      return ({ inputs, attrs }) => {
        const a = attrs as unknown as AdamStepAttrs;
        const { count, learningRate, gradScale, decays, beta1, beta2, step } = a;
        const all = inputs as unknown as Inputs;
        const grads = all.slice(count, 2 * count);
        // Corrections in doubles: TensorFlow would make 1 − βᵗ in float32. It moves by what βs are there, so they are corrected for.
        const [rest1, rest2] = [1 - Math.fround(beta1) ** step, 1 - Math.fround(beta2) ** step];
        const rate = (learningRate * Math.sqrt(rest2)) / rest1;
        // It adds ε to √v, we to √v̂ = √v / √(1 − β₂ᵗ).
        const numbers = [0, 0, rate, beta1, beta2, a.epsilon * Math.sqrt(rest2)];
        return variables.update([...all.slice(0, count), ...all.slice(2 * count)], grads, (handles) => {
          for (let i = 0; i < count; i++) {
            const [p, m, v] = [handles[i]!, handles[count + i]!, handles[2 * count + i]!];
            if (decays[i] !== 0) shrink(p, 1 - learningRate * decays[i]!);
            withDecayed(ops, p, ops.handle(grads[i]!), gradScale, 0, (g) =>
              apply(p, m, v, ...numbers.map((value) => ops.scalar(value)), g),
            );
          }
        });
      };
    },
  },
];
