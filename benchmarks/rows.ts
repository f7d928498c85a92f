// Rows: picking some by number, and products of a single one. Dynamic networks are made of these.
import { gatherRows } from '@frugal/tensor';
import { trainable } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';
import { addStockBackend } from './support/stock.ts';

const stock = await addStockBackend();
const { threads, relaxed } = await trainable();
console.log(`${threads} threads, ${relaxed ? 'relaxed' : 'plain'} SIMD; tfjs's own kernels have one thread\n`);

const sides: Record<string, () => void> = {};
for (const backend of [stock, 'wasm']) {
  await tf.setBackend(backend);
  const of = backend === stock ? 'tfjs' : 'frugal';
  for (const [n, columns, count] of [
    [64, 6272, 16],
    [8192, 256, 4096],
  ] as const) {
    const x = tf.randomUniform([n, columns]);
    const rows = Int32Array.from({ length: count }, (_, i) => (i * 2654435761) % n);
    const indices = tf.tensor1d(rows, 'int32');
    sides[`${of}: tf.gather, ${count} rows of ${columns}`] = () => tf.gather(x, indices).dispose();
    if (of === 'frugal') sides[`frugal: gatherRows, ${count} rows of ${columns}`] = () => gatherRows(x, rows).dispose();
  }
  for (const m of [1, 4, 8]) {
    const [x, w] = [tf.randomUniform([m, 3136]) as tf.Tensor2D, tf.randomUniform([3136, 512]) as tf.Tensor2D];
    sides[`${of}: ${m} × 3136 × 512`] = () => tf.matMul(x, w).dispose();
  }
}
const before = (name: string): Promise<boolean> => tf.setBackend(name.startsWith('tfjs') ? stock : 'wasm');
const times = await interleave(sides, { before, sampleTime: quick ? 10 : 50 });
table(Object.entries(times).map(([name, { best, median }]) => ({ rows: name, 'best ms': best, 'median ms': median })));

const ratio = (what: string): number => times[`tfjs: ${what}`]!.best / times[`frugal: ${what}`]!.best;
const gathers = ['tf.gather, 16 rows of 6272', 'tf.gather, 4096 rows of 256'].map(ratio);
finish('rows', { gather_vs_stock: Math.min(...gathers), gemv_vs_stock: ratio('1 × 3136 × 512') });
