// Self-speculation of a character model: an early exit drafts, the rest verifies; against greedy decoding, token for
// token. The network is read from benchmarks/checkpoints (runs/speculate-checkpoint.sh writes it).
import { readMobyDick } from '@frugal/datasets/node';
import { type ExitParams, type Speculation, speculate } from '@frugal/early-exit';
import { generate, openCache, truncateCache } from '@frugal/nn';
import { useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, interleave, quick, table } from './harness.ts';
import { readExits } from './support/checkpoints.ts';
import { copyTree } from './support/copy-tree.ts';
import { bookOf, context, exitGpt, lossOf } from './support/exit-gpt.ts';
import { addStockBackend } from './support/stock.ts';

const stock = await addStockBackend();
await useBackend(wasm({ threads: 1 }));
const book = bookOf(await readMobyDick());
const { backbone, model } = exitGpt(book.tokenizer.size);
const params = await readExits('gpt', model);
const elsewhere = await copyTree(stock, params);

const losses = await lossOf(model, params, quick ? book.test.subarray(0, 4000) : book.test);
const length = 16;
const tokens = context - length + 1;
/** Beginnings from two different halves of pages that the model has not read: one to choose by, one to time. */
const prompts = (from: number): number[][] =>
  Array.from({ length: quick ? 2 : 8 }, (_, i) => {
    const at = Math.floor(((from + i / 8) * book.test.length) / 2);
    return [...book.test.subarray(at, at + length)];
  });

type Settings = { readonly exit: number; readonly draft: number; readonly confidence: number };
const cache = { openCache, truncateCache };

async function greedy(of: ExitParams<never>, all: readonly number[][]): Promise<number[]> {
  const said: number[] = [];
  for (const prompt of all)
    for await (const token of generate(backbone, of.backbone as never, prompt, { tokens })) said.push(token);
  return said;
}

async function speculated(of: ExitParams<never>, all: readonly number[][], how: Settings) {
  const said: number[] = [];
  let [drafted, accepted, verifications] = [0, 0, 0];
  for (const prompt of all) {
    const run = speculate(model, of, prompt, { tokens, cache, ...how });
    let step: IteratorResult<number, Speculation> = await run.next();
    for (; step.done !== true; step = await run.next()) said.push(step.value);
    drafted += step.value.drafted;
    accepted += step.value.accepted;
    verifications += step.value.verifications;
  }
  return { said, drafted, accepted, verifications };
}

const exits = [0, 1];
const candidates: Settings[] = exits.flatMap((exit) => [
  ...[3, 4, 6, 8].map((draft) => ({ exit, draft, confidence: 0 })),
  ...[0.2, 0.4, 0.6].map((confidence) => ({ exit, draft: 8, confidence })),
]);

// The settings are chosen on other beginnings than those that are timed.
const trial = prompts(0);
const tried: { how: Settings; ms: number }[] = [];
for (const how of quick ? candidates.slice(1, 4) : candidates) {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round++) {
    const start = performance.now();
    await speculated(params, trial, how);
    best = Math.min(best, performance.now() - start);
  }
  tried.push({ how, ms: best });
}
const { how } = tried.reduce((a, b) => (b.ms < a.ms ? b : a));

const judged = prompts(1);
const expected = await greedy(params, judged);
let equal = 0;
let runs = 0;
for (const settings of quick ? [how] : candidates) {
  const { said } = await speculated(params, judged, settings);
  runs++;
  equal += Number(said.length === expected.length && said.every((token, i) => token === expected[i]));
}
if (equal < runs) throw new Error(`Speculation differs from greedy decoding in ${runs - equal} of ${runs} settings.`);
const { drafted, accepted, verifications } = await speculated(params, judged, how);

const sides = {
  'greedy, own kernels': () => greedy(params, judged),
  'greedy, stock kernels': () => greedy(elsewhere, judged),
  speculation: () => speculated(params, judged, how),
  'speculation, stock kernels': () => speculated(elsewhere, judged, how),
};
const times = await interleave<keyof typeof sides>(sides, {
  ...{ rounds: quick ? 5 : 9, sampleTime: 1, warmUp: 1 },
  before: (name) => tf.setBackend(name.includes('stock') ? stock : 'wasm'),
});
await tf.setBackend('wasm');
const made = judged.length * tokens;
table(tried.map(({ how: { exit, draft, confidence }, ms }) => ({ exit, draft, confidence, 'ms a token': ms / made })));
table(Object.entries(times).map(([name, { best }]) => ({ decoding: name, 'ms a token': best / made })));
console.log(
  `exit ${how.exit}, at most ${how.draft} at once, confidence ${how.confidence}: ${accepted} of ${drafted} guesses accepted, ` +
    `${(made / verifications).toFixed(2)} tokens a verification; equal ${equal} of ${runs}`,
);
const fastest = Math.min(times['greedy, own kernels'].best, times['greedy, stock kernels'].best);
finish('speculate', {
  speedup: fastest / Math.min(times.speculation.best, times['speculation, stock kernels'].best),
  equal: equal / runs,
  test_loss: losses.at(-1)!,
  accepted: accepted / drafted,
  tokens_per_verification: made / verifications,
});
