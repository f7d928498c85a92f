import { createState, key, meter, treeDispose, treeSize } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak, onShapes } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { constant } from '../initializers.ts';
import { gpt } from './gpt.ts';
import { lenet5 } from './lenet5.ts';
import { resnet } from './resnet.ts';
import { vit } from './vit.ts';

const weightInit = constant(0);

describeEachBackend('reference models', () => {
  it('have the published numbers of parameters', async () => {
    const sizes = await onShapes(() => ({
      gpt2: treeSize(
        gpt({ vocabulary: 50_257, context: 1024, dim: 768, depth: 12, heads: 12, weightInit }).init(key(1)),
      ),
      vitB16: treeSize(
        vit({
          input: [224, 224, 3],
          patch: 16,
          dim: 768,
          depth: 12,
          heads: 12,
          classes: 1000,
          pool: 'cls',
          weightInit,
        }).init(key(1)),
      ),
    }));
    // GPT-2 small as released; ViT-B/16 as in timm.
    expect(sizes).toEqual({ gpt2: 124_439_808, vitB16: 86_567_656 });
    await expectNoLeak(() => {
      // ResNet-20 and -56 with padded shortcuts: 0.27 M and 0.85 M in the paper; LeNet-5 with three full layers.
      for (const [model, size] of [
        [resnet(), 269_722],
        [resnet({ depth: 56 }), 853_018],
        [lenet5(), 61_706],
      ] as const) {
        const params = model.init(key(1));
        expect(treeSize(params)).toBe(size);
        treeDispose(params);
      }
    });
  });

  it('ResNet-20 takes 40.55 million multiply-adds in convolutions and products', async () => {
    await expectNoLeak(() => {
      const [model, state, x] = [resnet(), createState(), tf.zeros([1, 32, 32, 3])];
      const params = model.init(key(1));
      const { result, kernels } = meter(() => model.apply(params, x, { train: false, state }));
      const products = kernels.filter(({ kernel }) => /Conv2D|MatMul/.test(kernel));
      const macs = products.reduce((sum, { flops }) => sum + flops!, 0) / 2;
      // 40,551,040 by hand; a fused bias may count its additions.
      expect(Math.abs(macs - 40_551_040)).toBeLessThanOrEqual(5);
      state.dispose();
      treeDispose([params, x, result]);
    });
  });
});
