import { cpu, useBackend } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeData, makeParams, type Net, nets } from './nets.ts';
import { runOracle } from './run-oracle.ts';
import { read, relativeError } from './vectors.ts';

const oracle = await runOracle<Record<string, { product: number[]; error: number }>>('hvp-oracle.ts');

describe('Hessian-vector products in float64', () => {
  it.each(Object.keys(nets))('%s: central differences of gradients agree', (name) => {
    // tfjs's erf is a polynomial good to 1e-7, which its gradient does not know.
    expect(oracle[name]!.error).toBeLessThan(name.includes('erf') ? 1e-5 : 2e-7);
  });
});

describe('nested tf.grads, for comparison', () => {
  beforeAll(async () => {
    await useBackend(cpu());
  });

  /** ∇⟨∇f, v⟩ by reverse over reverse. */
  async function nested(net: Net): Promise<number[]> {
    const [data, params, v] = [makeData(), makeParams(net, 1), makeParams(net, 2)];
    const names = Object.keys(params);
    const f = (...leaves: tf.Tensor[]): tf.Tensor =>
      net.loss(Object.fromEntries(names.map((name, i) => [name, leaves[i]!])), data);
    const along = (...leaves: tf.Tensor[]): tf.Tensor =>
      tf.addN(
        tf
          .grads(f)(leaves)
          .map((g, i) => tf.sum(tf.mul(g, Object.values(v)[i]!))),
      );
    return read(tf.grads(along)(Object.values(params)));
  }

  it.each(Object.entries(nets))('%s', async (name, net) => {
    const outcome = await nested(net).then(
      (product) => (relativeError(product, oracle[name]!.product) < 1e-3 ? 'works' : 'lies'),
      () => 'throws',
    );
    expect(outcome).toBe(net.nested);
  });
});
