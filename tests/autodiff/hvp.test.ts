import { hvp, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import type * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { makeData, makeParams, nets } from './nets.ts';
import { runOracle } from './run-oracle.ts';
import { read, relativeError } from './vectors.ts';

type Params = Record<string, tf.Tensor>;
const oracle = await runOracle<Record<string, { product: number[] }>>('hvp-oracle.ts');

/** What goes through different kernels, for an emulated graphics card; the others with FRUGAL_DEEP. */
const some = ['softmax', 'GELU (tanh)', 'conv, max-pool', 'batch norm', 'attention, layer norm'];

describeEachBackend('Hessian-vector products', (backend) => {
  const all = backend !== 'webgpu' || process.env.FRUGAL_DEEP === '1';
  for (const [name, net] of Object.entries(nets)) {
    const bound = backend === 'cpu' || backend === 'wasm' ? 2e-6 : net.tolerance;
    it.skipIf(!all && !some.includes(name))(`${name}: within ${bound} of float64`, async () => {
      await expectNoLeak(async () => {
        const [data, params, v] = [makeData(), makeParams(net, 1), makeParams(net, 2)];
        const product = hvp((p: Params) => net.loss(p, data), params, v);
        expect(relativeError(await read(Object.values(product)), oracle[name]!.product)).toBeLessThan(bound);
        treeDispose([Object.values(data), params, v, product]);
      });
    });
  }
});
