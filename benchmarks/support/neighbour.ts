import { Worker } from 'node:worker_threads';

const SOURCE = `
const { workerData } = require('node:worker_threads');
const state = new Int32Array(workerData);
Atomics.store(state, 0, 1);
Atomics.notify(state, 0);
let x = 1;
while (Atomics.load(state, 1) === 0) for (let i = 0; i < 1e5; i++) x = Math.imul(x, 48271) + 1;
Atomics.store(state, 2, x);`;

/** Runs `body` while another thread keeps a CPU busy. */
export async function besideBusyLoop<T>(body: () => Promise<T> | T): Promise<T> {
  const state = new Int32Array(new SharedArrayBuffer(12));
  const worker = new Worker(SOURCE, { eval: true, workerData: state.buffer });
  await new Promise((resolve) => worker.once('online', resolve));
  while (Atomics.load(state, 0) === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  try {
    return await body();
  } finally {
    Atomics.store(state, 1, 1);
    await new Promise((resolve) => worker.once('exit', resolve));
  }
}

function spin(): number {
  const start = performance.now();
  let x = 1;
  for (let i = 0; i < 5e7; i++) x = Math.imul(x, 48271) + 1;
  return performance.now() - start + (x === 0 ? 1e-9 : 0);
}

/** By how much two independent busy loops outdo one: 2 on two free CPUs, 1 on a single one. */
export async function cpuScale(): Promise<number> {
  spin();
  const alone = Math.min(spin(), spin(), spin());
  const together = await besideBusyLoop(() => Math.min(spin(), spin(), spin()));
  return (2 * alone) / together;
}
