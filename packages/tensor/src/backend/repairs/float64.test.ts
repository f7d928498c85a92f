// tfjs's cpu backend in doubles, as float32 differences certify little: arrays are swapped before tfjs is loaded, in a
// process of this file's own. So nothing here may import tfjs statically.

import type * as Tfjs from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { GradientCase, Verdict } from '../../../../../tests/support/gradient-cases/index.ts';

globalThis.Float32Array = Float64Array as never;
const tf: typeof Tfjs = await import('@tensorflow/tfjs-core');
await import('@tensorflow/tfjs-backend-cpu');
await import('@tensorflow/tfjs-layers');
const { gradientCases } = await import('../../../../../tests/support/gradient-cases/index.ts');

const STEP = 1e-5;
// tfjs's erf is a polynomial good to 1e-7, so its differences are not its derivative.
const tolerance = (name: string) => (name === 'erf' ? 5e-6 : 1e-7);

function* numbers(): Generator<number, never> {
  for (let state = 12_345; ; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

function inputs({ shapes, domain }: GradientCase): Tfjs.Tensor[] {
  const next = numbers();
  const value = (): number => {
    const u = next.next().value;
    if (domain === 'positive') return 0.3 + u;
    return domain === 'zeros' && u < 0.3 ? 0 : 2 * u - 1;
  };
  return shapes.map((shape) => tf.tensor(Array.from({ length: tf.util.sizeFromShape([...shape]) }, value), [...shape]));
}

const weights = (y: Tfjs.Tensor): Tfjs.Tensor =>
  tf.tensor(
    Array.from({ length: y.size }, (_, i) => Math.sin(1.7 * i + 1)),
    y.shape,
  );

/** Compares the gradient of a random projection of f with central differences, coordinate by coordinate. */
async function judge(one: GradientCase): Promise<Verdict> {
  const xs = inputs(one);
  const weights = (y: Tfjs.Tensor) =>
    tf.tensor(
      Array.from({ length: y.size }, (_, i) => Math.sin(1.7 * i + 1)),
      y.shape,
    );
  const loss = (...at: Tfjs.Tensor[]): Tfjs.Scalar => {
    const y = one.f(...at);
    return tf.sum(tf.mul(y, weights(y)));
  };
  let grads: Tfjs.Tensor[];
  try {
    grads = tf.grads(loss as never)(xs as never) as Tfjs.Tensor[];
  } catch {
    return 'throws';
  }
  let worst = 0;
  for (const [k, x] of xs.entries()) {
    const [base, grad] = [Array.from(await x.data()), await grads[k]!.data()];
    expect(grads[k]!.shape).toEqual(x.shape);
    for (let i = 0; i < base.length; i++) {
      const moved = async (by: number) => {
        const values = base.map((value, j) => (j === i ? value + by : value));
        return (await loss(...xs.map((other, j) => (j === k ? tf.tensor(values, x.shape) : other))).data())[0]!;
      };
      const difference = ((await moved(STEP)) - (await moved(-STEP))) / (2 * STEP);
      const error = Math.abs(difference - grad[i]!) / (1 + Math.abs(difference));
      worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
    }
  }
  return worst < tolerance(one.name) ? 'right' : 'wrong';
}

/** Compares ∇²(Σ w·f²)·v, forward over reverse, with the difference of gradients along v. */
async function judgeHessian(one: GradientCase): Promise<Verdict> {
  const { hvp, valueAndGrad } = await import('../../autodiff/index.ts');
  const [xs, vs] = [inputs(one), inputs({ ...one, domain: 'zeros' })];
  const loss = (at: Tfjs.Tensor[]): Tfjs.Tensor => {
    const y = one.f(...at);
    return tf.sum(tf.mul(tf.square(y), weights(y)));
  };
  const moved = (by: number) => valueAndGrad(loss)(xs.map((x, i) => tf.add(x, tf.mul(vs[i]!, by))))[1];
  const [products, ahead, behind] = [hvp(loss, xs, vs), moved(STEP), moved(-STEP)];
  let worst = 0;
  for (const [k, product] of products.entries()) {
    const difference = tf.div(tf.sub(ahead[k]!, behind[k]!), 2 * STEP);
    const error = tf.max(tf.div(tf.abs(tf.sub(product, difference)), tf.add(tf.abs(difference), 1)));
    const value = product.size === 0 ? 0 : (await error.data())[0]!;
    worst = Number.isNaN(value) ? Number.POSITIVE_INFINITY : Math.max(worst, value);
  }
  return worst < 10 * tolerance(one.name) ? 'right' : 'wrong';
}

/** A judgement without tensors left behind. */
async function inScope(judgement: () => Promise<Verdict>): Promise<Verdict> {
  tf.engine().startScope();
  try {
    return await judgement();
  } finally {
    tf.engine().endScope();
  }
}

const stock = new Map<string, Verdict>();

beforeAll(async () => {
  await tf.setBackend('cpu');
  for (const one of gradientCases) {
    // Where nothing is repaired, the second run says the same.
    if (one.stock !== one.now) stock.set(one.name, await inScope(() => judge(one)));
  }
  const { ensureGradients } = await import('../gradients.ts');
  await ensureGradients();
});

describe('gradients in doubles', () => {
  it('has cases of every kind', () => {
    expect(new Set(gradientCases.map(({ name }) => name)).size).toBe(gradientCases.length);
    expect(gradientCases.filter((one) => one.stock !== one.now).length).toBeGreaterThan(50);
  });

  it.each(gradientCases.map((one) => [one.name, one] as const))('%s', async (name, one) => {
    // A repair that stock no longer needs should go.
    if (stock.has(name)) expect(stock.get(name), 'in stock tfjs').toBe(one.stock);
    expect(await inScope(() => judge(one))).toBe(one.now);
  });

  it.each(gradientCases.filter(({ now }) => now === 'right').map((one) => [one.name, one] as const))(
    'hvp through %s',
    async (_name, one) => {
      expect(await inScope(() => judgeHessian(one))).toBe('right');
    },
  );
});
