// A step of an MLP 784-1024-1024-10, batch 64, plain SGD: forward gradients ÷ backprop; sampling, derivative and update included.
// One thread by CPU time; then on two threads by the clock (two_), and on TensorFlow where it is set up (tf_).
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { load, tensorflow } from '@frugal/libtensorflow';
import { type BackendProvider, ensureGradients, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';
import { layers, makeSides, type SideName, stockStep } from './support/forward-sides.ts';

type Figures = Record<string, number>;
type Clock = 'cpu' | 'wall';

/** What a process of its own measures: backends and their kernels stay where they were put. */
const roles: Record<string, () => Promise<Figures>> = {
  'two-threads': () => measure(wasm({ threads: 2 }), 'wall'),
  tensorflow: () => measure(tensorflow(), 'cpu'),
  'stock-wasm': async () => {
    const backend = await import('@tensorflow/tfjs-backend-wasm');
    const binary = import.meta.resolve('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm');
    backend.setWasmPaths(fileURLToPath(new URL('.', binary)));
    backend.setThreadsCount(1);
    await tf.setBackend('wasm');
    return measureStock();
  },
  'stock-tensorflow': async () => {
    load();
    await tf.setBackend('tensorflow');
    return measureStock();
  },
};

async function measureStock(): Promise<Figures> {
  await ensureGradients();
  const { step } = await interleave({ step: stockStep() }, { rounds: 7, clock: 'cpu' });
  return { best: step.best };
}

/** Times all methods; the figures, and the best milliseconds of a rank-one step. */
async function measure(provider: BackendProvider, clock: Clock): Promise<Figures> {
  console.log((await useBackend(provider)).reason);
  const { sides, tangentBytes } = makeSides();
  const times = await interleave(sides, { rounds: quick ? 5 : clock === 'cpu' ? 31 : 15, clock });
  const ratio = (name: SideName, base: SideName = 'tape'): number => times[name].best / times[base].best;
  table(
    (Object.keys(sides) as SideName[]).map((name) => ({
      side: name,
      'ms (best)': times[name].best,
      'ms (median)': times[name].median,
      '÷ tape': ratio(name),
      '÷ hand': ratio(name, 'hand'),
    })),
  );
  return {
    tape_vs_hand: ratio('tape', 'hand'),
    dense: ratio('dense'),
    rank_one: ratio('rankOne'),
    activity: ratio('activity'),
    local: ratio('local'),
    block: ratio('blocks') / layers,
    jvp_over_forward: ratio('jvp', 'forward'),
    tangent_bytes: tangentBytes,
    best: times.rankOne.best,
  };
}

/** What such a process measures; its table is printed. */
function inAProcess(role: string): Figures {
  console.log(`\n${role}:`);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...process.execArgv, fileURLToPath(import.meta.url), `--role=${role}`, ...(quick ? ['--quick'] : [])],
    // TensorFlow on one thread, as wasm is.
    { encoding: 'utf8', env: { ...process.env, TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1' } },
  );
  if (status !== 0) throw new Error(`'${role}' failed:\n${stderr}`);
  const lines = stdout.trim().split('\n');
  const figures = JSON.parse(lines.pop()!) as Figures;
  console.log(lines.length > 0 ? lines.join('\n') : `${figures['best']!.toFixed(1)} ms a backprop step`);
  return figures;
}

/** The ratios of a process under a prefix. */
function prefixed(prefix: string, { best, ...figures }: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [`${prefix}${name}`, value]));
}

const role = process.argv.find((argument) => argument.startsWith('--role='))?.slice('--role='.length);
if (role !== undefined) {
  const figures = await roles[role]!();
  console.log(JSON.stringify(figures));
  process.exit(0);
}

const { best, ...figures } = await measure(wasm({ threads: 1 }), 'cpu');
figures['rank_one_vs_tfjs'] = best! / inAProcess('stock-wasm')['best']!;
const twoThreads = prefixed('two_', inAProcess('two-threads'));
let onTensorflow: Figures = {};
const { available, reason } = await tensorflow().describe();
if (available) {
  const measured = inAProcess('tensorflow');
  onTensorflow = prefixed('tf_', {
    ...measured,
    rank_one_vs_tfjs: measured['best']! / inAProcess('stock-tensorflow')['best']!,
  });
} else console.log(`\ntensorflow: ${reason}`);
finish('forward-step', { ...figures, ...twoThreads, ...onTensorflow });
