import { accuracyOf } from '@frugal/example-mnist';
import { atLeast, atMost, count, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { lenet300 } from '@frugal/nn';
import { createProbe, decodeSparse, encodeSparse, weightSparsity } from '@frugal/sparsity-metrics';
import { formatBytes, key, type Module, treeDispose, treeEntries, treeRestore } from '@frugal/tensor';
import { cutInRounds, fit, images } from './recipe.ts';

const settings = {
  full: { images: 55_000, dense: 6, rounds: [2, 2, 4], lost: 0.002 },
  quick: { images: 12_000, dense: 2, rounds: [1, 2], lost: 0.015 },
};

/** A network learns to read digits, loses nine tenths of its weights, and reads as well. */
export async function runPruneToATenth(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { images: size, dense: epochs, rounds, lost } = options.quick ? settings.quick : settings.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}\n`);
  const model = lenet300() as unknown as Module;
  const data = images(await io.mnist(), options.seed, size);
  const { seed } = options;

  const dense = await fit(model, data, { epochs, peak: 1.2e-3, seed, listeners: [io.progress()] });
  const before = await accuracyOf(model, dense, data.validation);
  io.print(`LeNet-300-100, ${count(266_200)} weights: ${percent(before)} of the validation images are right.\n`);
  const { params, masks } = await cutInRounds(model, dense, data, {
    timesFewer: 10,
    epochs: rounds,
    peak: 1.5e-3,
    seed,
    teacher: dense,
    after: async (round, now) => {
      const { sparsity } = await weightSparsity(now);
      const right = await accuracyOf(model, now, data.validation);
      io.print(`  cut ${round + 1}: ${percent(1 - sparsity)} of the weights are left, ${percent(right)} right`);
    },
  });
  const file = await encodeSparse(params);
  const read = await decodeSparse(file.bytes);
  const restored = treeRestore(params, treeEntries(read.tree));
  const probe = createProbe();
  for await (const { x, y } of data.validation.batches({ key: key(0), epoch: 0 })) {
    treeDispose([probe.run(() => model.apply(restored, x)), x, y]);
  }
  for (const { shape, zeroFraction, deadUnits } of (await probe.read()).layers) {
    io.print(
      `Of its ${shape.at(-1)} hidden units ${percent(zeroFraction)} are zero at a time; ${deadUnits.length} always.`,
    );
  }
  const [whole, cut] = [await accuracyOf(model, dense, data.test), await accuracyOf(model, restored, data.test)];
  const { sparsity } = await weightSparsity(restored);
  io.print(`\nRead back from a file of ${formatBytes(file.bytes.length)} instead of ${formatBytes(file.denseBytes)}:`);
  io.print(`${percent(cut)} of the test images are right, ${percent(whole)} before the cuts.`);
  treeDispose([dense, params, masks, restored]);
  return [
    atLeast('weights cut', sparsity, 0.9, percent),
    atMost('accuracy lost on the test images', whole - cut, lost, percent),
    atMost('size of the file ÷ the dense one', file.ratio, 0.14, percent),
  ];
}
