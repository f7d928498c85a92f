// Runs in the page: trains for so many steps with checkpoints in the browser's own storage, and tells the weights' bits.
import {
  adamw,
  browserStore,
  fromArrays,
  indexedDbStore,
  memoryStore,
  opfsStore,
  saveTo,
  squaredError,
  train,
} from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import { cpu, key, type Tree, treeDispose, treeEntries, useBackend } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';

const stores = { opfs: opfsStore, indexedDb: indexedDbStore, browser: browserStore, memory: () => memoryStore() };

const learn = async (where: keyof typeof stores, steps: number): Promise<object> => {
  await useBackend(cpu());
  const x = Array.from({ length: 20 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
  const y = x.map(([a, b]) => [a! * b!]);
  const model = mlp([2, 8, 1]);
  const run = train({
    model,
    loss: (params, batch: { x: tf.Tensor; y: tf.Tensor }, ctx) =>
      squaredError(model.apply(params, batch.x, ctx), batch.y),
    optimizer: adamw(0.01),
    data: fromArrays({ x, y }, { batchSize: 8 }),
    key: key(11),
    steps,
    checkpoint: saveTo(stores[where](`resume-${where}`), { everySteps: 2, resume: true }),
  });
  let resumedAt = 0;
  const saved: string[] = [];
  for await (const event of run.events) {
    if (event.type === 'start') resumedAt = event.resumedAt;
    if (event.type === 'checkpoint') saved.push(event.path);
  }
  const { params, optimizer, state } = await run.result;
  const bits: Record<string, number[]> = {};
  for (const [path, leaf] of treeEntries(params as Tree)) {
    bits[path] = [...new Uint32Array(((await (leaf as tf.Tensor).data()) as Float32Array).slice().buffer)];
  }
  treeDispose([params, optimizer, state] as Tree);
  return { resumedAt, saved, bits };
};

Object.assign(globalThis, { learn });
