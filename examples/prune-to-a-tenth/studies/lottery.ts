// What runs/lottery.sh runs: LeNet-300-100 on MNIST with 51 to 3.5 % of its weights, three seeds. Tickets that go back to where training began
// or to an early step, against the same masks with other first weights, small dense nets taught alone and by the large one, and nets that were
// sparse from their first step. Every net gets the same epochs, rate and decay.
import { classification, lossFunction } from '@frugal/core-trainer';
import { readMnist } from '@frugal/datasets/node';
import { accuracyOf, type Lesson } from '@frugal/example-mnist';
import { lenet300, mlp } from '@frugal/nn';
import { applyMasks, erdosRenyiMasks, lotteryTickets, regrowthShare, sparseFromStart } from '@frugal/sparsity-metrics';
import {
  foldIn,
  key,
  type Labelled,
  type Module,
  mean,
  standardDeviation,
  type Tree,
  treeClone,
  treeDispose,
  useBackend,
  valueAndGrad,
} from '@frugal/tensor';
import { wasm } from '@frugal/wasm';
import * as tf from '@tensorflow/tfjs-core';
import { finish, quick, table } from '../../../benchmarks/harness.ts';
import { fit, images } from '../recipe.ts';

const SEEDS = quick ? [1] : [1, 2, 3];
const EPOCHS = quick ? 1 : 2;
const REWIND_STEP = quick ? 10 : 300;
/** Rounds of 20 % each that a cut stands for; asked about are those of the paper. */
const ROUNDS = quick ? [7] : [3, 5, 7, 9, 12, 15];
const ASKED = [3, 7, 9, 15];
const PEAK = 1.2e-3;
const ARMS = ['ticket', 'rewound', 'other first weights', 'small, alone', 'small, distilled', 'RigL', 'SET'] as const;
type Arm = (typeof ARMS)[number];

await useBackend(wasm({ threads: 1 }));
const mnist = await readMnist();
const model = lenet300() as unknown as Module;
const loss = lossFunction(model, classification().loss);
const started = performance.now();
const density = (rounds: number): number => 0.8 ** rounds;

/** Errors on the test images, by arm and rounds; each net is asked once. */
const errors = new Map<string, number[]>();
const note = (arm: string, error: number): void => {
  errors.set(arm, [...(errors.get(arm) ?? []), error]);
};

/** A dense net with as many weights as are left: hidden layers in the same proportion. */
function smallNet(share: number): Module {
  const weights = (hidden: number): number => 784 * hidden + (hidden * hidden) / 3 + (10 * hidden) / 3;
  let hidden = 300;
  while (weights(hidden - 1) >= share * weights(300)) hidden--;
  return mlp([784, hidden, Math.max(1, Math.round(hidden / 3)), 10]) as unknown as Module;
}

/** A net that is sparse from its first step, with as many weights, whose connections move. */
async function sparse(data: Lesson, seed: number, share: number, how: 'RigL' | 'SET'): Promise<Tree> {
  const params = model.init(foldIn(key(seed), 5));
  const end = Math.round(0.75 * EPOCHS * data.train.batchesPerEpoch);
  const gradient = async (now: Tree, step: number): Promise<Tree> => {
    for await (const batch of data.train.batches({ key: key(seed + step), epoch: 0 })) {
      const mean = (p: Tree): tf.Tensor => tf.mean(loss(p, batch as Labelled, { train: true }));
      const [value, grads] = valueAndGrad(mean)(now);
      treeDispose([value, batch]);
      return grads;
    }
    throw new Error('There are no images.');
  };
  const masks = await erdosRenyiMasks(params, 1 - share, { key: foldIn(key(seed), 6) });
  const training = sparseFromStart(masks, {
    every: 100,
    share: regrowthShare({ end }),
    grow: how === 'RigL' ? gradient : foldIn(key(seed), 7),
  });
  const start = applyMasks(params, masks);
  const out = await fit(model, data, {
    epochs: EPOCHS,
    peak: PEAK,
    seed,
    params: start,
    hooks: [training.hook],
    optimizer: (plain) => training.optimizer(plain),
  });
  training.dispose();
  treeDispose([params, start]);
  return out;
}

for (const seed of SEEDS) {
  const data = images(mnist, seed, quick ? 5_000 : 55_000);
  const first = model.init(foldIn(key(seed), 3));
  const other = model.init(foldIn(key(seed), 4));
  let early: Tree | undefined;
  const remember = {
    name: 'remember',
    onEvent: (event: { type: string; step?: number }, run: { params: Tree }): void => {
      if (event.type === 'step' && event.step === REWIND_STEP) early = treeClone(run.params);
    },
  };
  const common = { epochs: EPOCHS, peak: PEAK, seed };
  const dense = await fit(model, data, { ...common, params: first, hooks: [remember] });
  const error = async (p: Tree, net: Module = model): Promise<number> => 1 - (await accuracyOf(net, p, data.test));
  note('dense', await error(dense));

  const search = (rewindTo: Tree) =>
    lotteryTickets(dense, {
      sparsities: ROUNDS.map((rounds) => 1 - density(rounds)),
      rewindTo,
      train: (params, masks) => fit(model, data, { ...common, params, masks }),
    });
  for await (const { round, masks, params } of search(first)) {
    const rounds = ROUNDS[round]!;
    if (!ASKED.includes(rounds)) continue;
    const at = (arm: Arm): string => `${arm} ${rounds}`;
    note(at('ticket'), await error(params));
    const unlucky = applyMasks(other, masks);
    const again = await fit(model, data, { ...common, params: unlucky, masks });
    note(at('other first weights'), await error(again));
    const small = smallNet(density(rounds));
    const alone = await fit(small, data, common);
    note(at('small, alone'), await error(alone, small));
    const begin = small.init(foldIn(foldIn(key(seed), 2), 0));
    const taught = await fit(small, data, { ...common, params: begin, teacherModel: model, teacher: dense });
    note(at('small, distilled'), await error(taught, small));
    treeDispose([unlucky, again, alone, begin, taught]);
    for (const how of ['RigL', 'SET'] as const) {
      const grown = await sparse(data, seed, density(rounds), how);
      note(at(how), await error(grown));
      treeDispose(grown);
    }
    console.log(
      `seed ${seed}, ${(100 * density(rounds)).toFixed(1)} %: after ${((performance.now() - started) / 60_000).toFixed(1)} minutes`,
    );
  }
  for await (const { round, params } of search(early!)) {
    if (ASKED.includes(ROUNDS[round]!)) note(`rewound ${ROUNDS[round]}`, await error(params));
  }
  treeDispose([first, other, dense, early!]);
}

const percent = (values: readonly number[]): string =>
  `${(100 * mean(values)).toFixed(2)}${values.length > 1 ? ` ± ${(100 * standardDeviation(values)).toFixed(2)}` : ''}`;
const asked = ROUNDS.filter((rounds) => ASKED.includes(rounds));
console.log(
  `\nErrors on the test images in %, mean and spread of ${SEEDS.length} seeds; dense: ${percent(errors.get('dense')!)}\n`,
);
table(
  ARMS.map((arm) => ({
    net: arm,
    ...Object.fromEntries(
      asked.map((k) => [`${(100 * density(k)).toFixed(1)} %`, percent(errors.get(`${arm} ${k}`)!)]),
    ),
  })),
);
console.log(`\n${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
const keyOf = (name: string): string => name.replace(/,? /g, '_').replace('%', '').toLowerCase();
finish(
  'lottery',
  Object.fromEntries([...errors].map(([name, values]) => [`${keyOf(name)}_error`, mean(values)])),
  'runs',
);
