// A run for kill.test.ts to kill: `run.ts BACKEND FOLDER`. Says R and the step when it begins, W when it starts to write a checkpoint
// and, when it has finished, the fingerprint of everything that it computed.
import { createHash } from 'node:crypto';
import { writeSync } from 'node:fs';
import { adamw, type CheckpointStore, cosine, fromArrays, saveTo, train } from '@frugal/core-trainer';
import { directoryStore } from '@frugal/core-trainer/node';
import { cpu, key, treeEntries, useBackend } from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { noisyExamples, noisyNet } from '../support/noisy-net.ts';

const [backend, folder] = process.argv.slice(2) as [string, string];
const say = (line: string): void => {
  writeSync(1, `${line}\n`);
};

/** Writes in small pieces, so that a write takes long enough to be interrupted. */
function slowly(store: CheckpointStore): CheckpointStore {
  return {
    ...store,
    write(name, pieces) {
      say('W');
      const small = pieces.flatMap((piece) =>
        Array.from({ length: Math.ceil(piece.length / 64) }, (_, i) => piece.subarray(64 * i, 64 * (i + 1))),
      );
      return store.write(name, small);
    },
  };
}

await useBackend(backend === 'wasm' ? wasm({ threads: 1 }) : cpu());
const epochs = 10;
const data = fromArrays(noisyExamples(70), { batchSize: 8 });
const run = train({
  model: noisyNet,
  loss: noisyNet.loss,
  optimizer: adamw(cosine(0.01, { steps: epochs * data.batchesPerEpoch })),
  data,
  key: key(2026),
  epochs,
  ema: 0.95,
  yieldEvery: 1,
  checkpoint: saveTo(slowly(directoryStore(folder)), { everySteps: 4, everyEpochs: 3, resume: true }),
  evaluate: async (params) => {
    const [value] = await params.head.w.data();
    return { first: value! };
  },
});
for await (const event of run.events) {
  if (event.type === 'start') say(`R ${event.resumedAt}`);
}
const { params, evaluationParams, optimizer, state, ...rest } = await run.result;
const hash = createHash('sha256').update(JSON.stringify(rest));
for (const [path, leaf] of treeEntries({ params, evaluationParams: evaluationParams!, optimizer, state })) {
  // Values that were read from a file may be a part of its buffer.
  const { buffer, byteOffset, byteLength } = await leaf.data();
  hash.update(`${path} ${leaf.dtype} [${leaf.shape}]`).update(new Uint8Array(buffer, byteOffset, byteLength));
}
say(`DONE ${rest.steps} ${hash.digest('hex')}`);
process.exit(0);
