import { sgd, softmaxCrossEntropy } from '@frugal/core-trainer';
import { tensorflow } from '@frugal/libtensorflow';
import { lenet5, mlp } from '@frugal/nn';
import { fillUniform, key, useBackend } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { trainingStep } from './support/step.ts';
import { kernelTimes } from './support/kernel-times.ts';
import { load } from '@frugal/libtensorflow';
load();
const be = tf.backend() as any; const orig = be.binding;
const REC: any = { orig, real: orig.executeOp, hook: null };
be.binding = Object.create(orig, { executeOp: { value: (...a: any[]) => REC.hook ? REC.hook(...a) : orig.executeOp(...a) } });
await useBackend(tensorflow());
const pixels = new Float32Array(64 * 784); fillUniform(key(1), pixels);
const y = tf.tensor1d(Int32Array.from({ length: 64 }, (_, i) => i % 10), 'int32');
for (const [name, model, shape] of [['mlp', mlp([784,1024,1024,10]), [64,784]], ['lenet', lenet5(), [64,28,28,1]]] as const) {
  const step = trainingStep({ model: model as never, optimizer: sgd(0.01), loss: softmaxCrossEntropy, x: tf.tensor(pixels, shape as never), y });
  for (let i = 0; i < 100; i++) step();
  const b = REC; const ex = b.real; const counts: Record<string, [number, number]> = {};
  b.hook = (n: string, ...r: unknown[]) => { const t = performance.now(); const o = ex.call(b.orig, n, ...r); const c = (counts[n] ??= [0, 0]); c[0]++; c[1] += performance.now() - t; return o; };
  const N = 100; const t0 = performance.now(); for (let i = 0; i < N; i++) step(); const total = (performance.now() - t0) / N;
  b.hook = null;
  let ops = 0, ms = 0; for (const [c, m] of Object.values(counts)) { ops += c / N; ms += m / N; }
  console.log(name, 'step', total.toFixed(2), 'ops', ops, 'in ops', ms.toFixed(2));
  for (const [n, [c, m]] of Object.entries(counts).sort((a, b) => b[1][1] - a[1][1])) console.log(' ', n.padEnd(40), (c / N).toFixed(1), (m / N).toFixed(3));
  const { kernels, total: t } = kernelTimes(step, 60);
  console.log(Object.entries(kernels).sort((a,b)=>b[1]-a[1]).map(([k, m]) => `${k} ${m.toFixed(2)}`).join(', '), t.toFixed(2));
}
process.exit(0);
