import { adam, backprop, softmaxCrossEntropy, takeStep } from '@frugal/core-trainer';
import { key, type Module, meter, randomUniform, type Tree, treeDispose } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** How fast a backend trains. */
export interface Speed {
  /** Milliseconds of a step, the best of several. */
  readonly step: number;
  /** Billions of floating point operations per second within it, 2 per multiply-add. */
  readonly gflops: number;
}

/** Times whole training steps of a model (gradient and Adam) on the current backend, on images of random pixels. */
export async function measure(model: Module, batchSize: number, seconds: number): Promise<Speed> {
  const x = randomUniform(key(1), [batchSize, 28, 28, 1]);
  const y = tf.tensor1d(
    Int32Array.from({ length: batchSize }, (_, i) => i % 10),
    'int32',
  );
  const optimizer = adam(1e-3);
  const estimate = backprop();
  let params: Tree = model.init(key(2));
  let state = optimizer.init(params);
  let count = 0;
  const step = (): tf.Scalar => {
    const of = (p: Tree, _: undefined, ctx: { train: boolean }) => softmaxCrossEntropy(model.apply(p, x, ctx), y);
    const { loss, grads } = estimate(of, params, undefined, key(3));
    [params, state] = takeStep(optimizer, grads, state, params, { step: count++, loss });
    treeDispose(grads);
    return loss;
  };
  /** Reading the loss waits for the device. */
  const timed = async (): Promise<number> => {
    const start = performance.now();
    const loss = step();
    await loss.data();
    loss.dispose();
    return performance.now() - start;
  };
  const { flops, result } = meter(step, { kernelTimes: false });
  result.dispose();
  let best = await timed();
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) best = Math.min(best, await timed());
  treeDispose([params, state]);
  tf.dispose([x, y]);
  return { step: best, gflops: flops / best / 1e6 };
}
