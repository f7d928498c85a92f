// What runs/prune-lenet300.sh runs: LeNet-300-100 on MNIST, cut to a twelfth, five seeds. What is left learns from the net
// before the cuts. Settings were chosen on validation images; each net is asked about the test images once.
import { readMnist } from '@frugal/datasets/node';
import { accuracyOf } from '@frugal/example-mnist';
import { lenet300 } from '@frugal/nn';
import { createProbe, encodeSparse, remainingWork, weightSparsity } from '@frugal/sparsity-metrics';
import {
  type Dataset,
  key,
  type Labelled,
  type Module,
  mean,
  type Tree,
  treeDispose,
  useBackend,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { writeData } from '../../../benchmarks/support/page.ts';
import { cutInRounds, fit, images } from '../recipe.ts';

const SEEDS = quick ? [1] : [1, 2, 3, 4, 5];
const DENSE_EPOCHS = quick ? 1 : 10;
const ROUNDS = quick ? [1] : [2, 2, 2, 2, 8];
const TIMES = 12.1;
/** Seeds whose dense net is also trained for as many epochs as dense and cut one together. */
const CONTROLS = [1, 2];

await useBackend(wasm({ threads: 1 }));
const mnist = await readMnist();
const model = lenet300() as unknown as Module;
const started = performance.now();

/** Share of zeros after each hidden layer, over all images. */
async function hiddenZeros(params: Tree, data: Dataset<Labelled>): Promise<number[]> {
  const probe = createProbe({ distributions: false });
  for await (const batch of data.batches({ key: key(0), epoch: 0 })) {
    treeDispose([probe.run(() => model.apply(params, batch.x)), batch]);
  }
  return (await probe.read()).layers.map(({ zeroFraction }) => zeroFraction);
}

const rows: Record<string, number>[] = [];
/** Errors on the validation images, of the dense net and after each round. */
const curves: number[][] = [];
const longer: { readonly dense: number; readonly cut: number }[] = [];
for (const seed of SEEDS) {
  const data = images(mnist, seed, quick ? 10_000 : 55_000);
  const dense = await fit(model, data, { epochs: DENSE_EPOCHS, peak: 1.2e-3, seed });
  const validation: number[] = [1 - (await accuracyOf(model, dense, data.validation))];
  const { params, masks } = await cutInRounds(model, dense, data, {
    timesFewer: TIMES,
    epochs: ROUNDS,
    peak: 1.5e-3,
    seed,
    teacher: dense,
    after: async (_round, now) => {
      validation.push(1 - (await accuracyOf(model, now, data.validation)));
    },
  });
  console.log(`seed ${seed}, validation errors: ${validation.map((error) => (100 * error).toFixed(2)).join(', ')} %`);
  curves.push(validation);
  const error = async (p: Tree): Promise<number> => 1 - (await accuracyOf(model, p, data.test));
  const [before, after] = [await hiddenZeros(dense, data.test), await hiddenZeros(params, data.test)];
  const { size, zeros, parameters } = await weightSparsity(params);
  // Han's rule: a multiplication is left where neither its weight nor its input is zero.
  const work = remainingWork(
    parameters.map((one, i) => ({
      flops: 2 * one.size,
      weightDensity: 1 - one.sparsity,
      inputDensity: i === 0 ? 1 : 1 - after[i - 1]!,
    })),
  );
  const file = await encodeSparse(params);
  rows.push({
    seed,
    'error dense': await error(dense),
    'error cut': await error(params),
    'times fewer': size / (size - zeros),
    'kept fc1': 1 - parameters[0]!.sparsity,
    'kept fc2': 1 - parameters[1]!.sparsity,
    'kept fc3': 1 - parameters[2]!.sparsity,
    'FLOPs left': work.total,
    'file ÷ dense': file.ratio,
    'zeros 1 dense': before[0]!,
    'zeros 2 dense': before[1]!,
    'zeros 1 cut': after[0]!,
    'zeros 2 cut': after[1]!,
  });
  if (CONTROLS.includes(seed)) {
    const epochs = DENSE_EPOCHS + ROUNDS.reduce((sum, round) => sum + round, 0);
    const long = await fit(model, data, { epochs, peak: 1.2e-3, seed });
    longer.push({ dense: await error(long), cut: rows.at(-1)!['error cut']! });
    treeDispose(long);
  }
  treeDispose([dense, params, masks]);
  console.log(`seed ${seed}, after ${((performance.now() - started) / 60_000).toFixed(1)} minutes:`, rows.at(-1));
}
table(rows);
const over = (column: string): number => mean(rows.map((row) => row[column]!));
console.log('As long, dense, beside the cut net:', longer);
console.log(`\n${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
const written = finish(
  'prune-lenet300',
  {
    times_fewer: Math.min(...rows.map((row) => row['times fewer']!)),
    error_dense: over('error dense'),
    error_cut: over('error cut'),
    error_increase: over('error cut') - over('error dense'),
    error_increase_over_long: mean(longer.map(({ dense, cut }) => cut - dense)),
    zeros_1_dense: over('zeros 1 dense'),
    zeros_2_dense: over('zeros 2 dense'),
    zeros_1_cut: over('zeros 1 cut'),
    zeros_2_cut: over('zeros 2 cut'),
    flops_left: over('FLOPs left'),
    file_ratio: over('file ÷ dense'),
  },
  'runs',
);
if (written) {
  const seeds = rows.map((row, i) => ({ ...row, 'validation errors': curves[i]! }));
  writeData('prune-lenet300', { seeds, longer });
}
