// Matrix products: our share of what the machine can do in registers, and against tfjs's own wasm backend.
import { trainable } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, type Side, table } from './harness.ts';
import { besideBusyLoop, cpuScale } from './support/neighbour.ts';
import { peakLoops } from './support/peak.ts';
import { addStockBackend } from './support/stock.ts';

const stock = await addStockBackend();

interface Product {
  readonly name: string;
  readonly flops: number;
  readonly run: () => void;
}

type Kind = 'nn' | 'nt' | 'tn';

/** One product on tfjs's current backend, the same operands every time. */
function product(m: number, n: number, k: number, kind: Kind): Product {
  const [ta, tb] = [kind === 'tn', kind === 'nt'];
  const a = tf.randomUniform(ta ? [k, m] : [m, k], -1, 1) as tf.Tensor2D;
  const b = tf.randomUniform(tb ? [n, k] : [k, n], -1, 1) as tf.Tensor2D;
  return { name: `${m} × ${n} × ${k} ${kind}`, flops: 2 * m * n * k, run: () => tf.matMul(a, b, ta, tb).dispose() };
}

const rate = (flops: number, ms: number): number => flops / ms / 1e6;
const options = { rounds: quick ? 5 : 15, sampleTime: quick ? 10 : 100 };

// One thread, the best instructions that the engine has.
const report = await trainable({ threads: 1 });
const kinds: Kind[] = ['nn', 'nt', 'tn'];
const square = kinds.map((kind) => product(1024, 1024, 1024, kind));
const skinny = kinds.map((kind) => product(64, 1024, 1024, kind));
const others = [product(1024, 1024, 64, 'tn'), product(64, 10, 1024, 'nn'), product(16, 16, 16, 'nn')];
await tf.setBackend(stock);
const theirs = product(1024, 1024, 1024, 'nn');
const loops = peakLoops(report.relaxed).map(({ chains, flops, run }) => ({
  name: `registers only, ${chains} chains`,
  flops,
  run,
}));
const ours = [...square, ...skinny, ...others];
const all: Product[] = [...loops, ...ours, { ...theirs, name: `stock ${theirs.name}` }];
const before = (name: string): Promise<boolean> => tf.setBackend(name.startsWith('stock') ? stock : 'wasm');
const times = await interleave(Object.fromEntries(all.map(({ name, run }) => [name, run as Side])), {
  ...options,
  before,
});
const speed = ({ name, flops }: Product): number => rate(flops, times[name]!.best);
const peak = Math.max(...loops.map(speed));
const title = `one thread, ${report.relaxed ? 'relaxed' : 'plain'} SIMD`;
table(
  all.map((p) => ({ [title]: p.name, 'best ms': times[p.name]!.best, 'GFLOP/s': speed(p), share: speed(p) / peak })),
);
const last = all.at(-1)!;

// Two threads, if two CPUs are free now; and beside a neighbour that keeps one of them busy.
async function twoThreads(): Promise<number> {
  const sides: Record<string, Side> = {};
  const [a, b] = [tf.randomUniform([1024, 1024]) as tf.Tensor2D, tf.randomUniform([1024, 1024]) as tf.Tensor2D];
  for (const name of ['one', 'two']) sides[name] = () => tf.matMul(a, b).dispose();
  const { one, two } = await interleave(sides as Record<'one' | 'two', Side>, {
    ...options,
    before: (name) => trainable({ threads: name === 'two' ? 2 : 1 }),
  });
  tf.dispose([a, b]);
  return one.best / two.best;
}

await tf.setBackend('wasm');
const threads: { threads2?: number } = {};
let scale = 0;
for (let attempt = 0; attempt < (quick ? 1 : 5) && threads.threads2 === undefined; attempt++) {
  scale = await cpuScale();
  if (scale >= 1.8 || quick) threads.threads2 = await twoThreads();
}
const beside = await besideBusyLoop(twoThreads);
console.log(`\nTwo busy loops outdo one by ${scale.toFixed(2)}.`);
console.log(
  threads.threads2 === undefined
    ? 'That is below 1.8: no figure for two threads, as the second CPU is not ours.'
    : `1024³ on two threads outdoes one by ${threads.threads2.toFixed(2)}; beside a busy neighbour by ${beside.toFixed(2)}.\n`,
);

finish('matmul', {
  peak_share: Math.min(...square.slice(0, 1).map(speed)) / peak,
  skinny_share: Math.min(...skinny.map(speed)) / peak,
  nn_vs_stock: speed(square[0]!) / speed(last),
  ...threads,
  threads2_beside_busy: beside,
  peak_gflops: peak,
});
