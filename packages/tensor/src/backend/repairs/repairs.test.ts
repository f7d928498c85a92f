import { cpu, ensureGradients, useBackend } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak, type GradientCase, gradientCases } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';

const repaired = gradientCases.filter(({ stock, now }) => stock !== now);

function inputs({ shapes, domain }: GradientCase): tf.Tensor[] {
  return shapes.map((shape, k) => {
    const value = (i: number) => {
      const u = Math.abs(Math.sin(12.9898 * (i + 1) + 78.233 * k)) % 1;
      return domain === 'positive' ? 0.3 + u : domain === 'zeros' && u < 0.3 ? 0 : 2 * u - 1;
    };
    return tf.tensor(
      Array.from({ length: tf.util.sizeFromShape([...shape]) }, (_, i) => value(i)),
      [...shape],
    );
  });
}

function gradients(one: GradientCase, xs: tf.Tensor[]): tf.Tensor[] {
  const loss = (...at: tf.Tensor[]) => tf.sum(tf.mul(one.f(...at), 0.5));
  return tf.tidy(() => tf.grads(loss as never)(xs as never)) as tf.Tensor[];
}

describeEachBackend('repaired gradients', (backend) => {
  // cpu is held against differences in doubles, in float64.test.ts; here the others against cpu.
  const refused = ({ noWasm, noTensorflow }: GradientCase): boolean | undefined =>
    ({ wasm: noWasm, tensorflow: noTensorflow })[backend];
  it.each(repaired.filter((one) => !refused(one)).map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    await useBackend(cpu());
    const reference = tf.tidy(() => gradients(one, inputs(one)));
    const expected = await Promise.all(reference.map((grad) => grad.data<'float32'>()));
    tf.dispose(reference);
    await tf.setBackend(backend);
    const xs = inputs(one);
    await expectNoLeak(async () => {
      const grads = gradients(one, xs);
      for (const [i, grad] of grads.entries()) await expectClose(grad, expected[i]!, 1e-4);
      tf.dispose(grads);
    });
    tf.dispose(xs);
  });

  it('shares the gradient of a maximum among equal values', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([3, 1, 3, 3, 2, 5], [2, 3]);
      const [max, min] = tf.tidy(() => [
        tf.grad((a) => tf.max(a, 1))(x),
        tf.grad((a) => tf.min(a))(tf.abs(tf.sub(x, 2))),
      ]);
      await expectClose(max!, [0.5, 0, 0.5, 0, 0, 1]);
      await expectClose(min!, [0, 0, 0, 0, 1, 0]);
      tf.dispose([x, max!, min!]);
    });
  });
});

it('sums axes that einsum sums in one operand alone', async () => {
  // The forward pass of tfjs is wrong here, so the gradient is asked for by itself.
  await useBackend(cpu());
  await expectNoLeak(async () => {
    const [a, b, dy] = [tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]), tf.tensor1d([2, 3, 4]), tf.tensor1d([1, 10, 100])];
    const [da, db] = tf.tidy(() => {
      const grads = tf.getGradient('Einsum')!.gradFunc(dy, [a, b], { equation: 'ij,j->j' });
      return [grads[0]!(), grads[1]!()];
    });
    await expectClose(da!, [2, 30, 400, 2, 30, 400]);
    await expectClose(db!, [5, 70, 900]);
    tf.dispose([a, b, dy, da!, db!]);
  });
});

it('undoes depthToSpace with channels first as with channels last', async () => {
  await useBackend(cpu());
  await expectNoLeak(async () => {
    const dy = tf.tidy(() => tf.reshape(tf.range(0, 2 * 4 * 6 * 2), [2, 4, 6, 2]));
    const [last, first] = tf.tidy(() => {
      const gradFunc = tf.getGradient('DepthToSpace')!.gradFunc;
      const x = tf.zeros([2, 2, 3, 8]);
      const nhwc = gradFunc(dy, [x], { blockSize: 2, dataFormat: 'NHWC' }).x!();
      const nchw = gradFunc(tf.transpose(dy, [0, 3, 1, 2]), [tf.transpose(x, [0, 3, 1, 2])], {
        blockSize: 2,
        dataFormat: 'NCHW',
      }).x!();
      // Depth is [block row, block column, channel] in both.
      return [nhwc, tf.transpose(nchw, [0, 2, 3, 1])];
    });
    await expectClose(first!, (await last!.data()) as Float32Array);
    tf.dispose([dy, last!, first!]);
  });
});

it('repairs once, however often it is asked', async () => {
  await useBackend(cpu());
  const { gradFunc } = tf.getGradient('Einsum')!;
  const { kernelFunc } = tf.getKernel('FusedBatchNorm', 'cpu')!;
  await ensureGradients();
  expect(tf.getGradient('Einsum')!.gradFunc).toBe(gradFunc);
  expect(tf.getKernel('FusedBatchNorm', 'cpu')!.kernelFunc).toBe(kernelFunc);
});
