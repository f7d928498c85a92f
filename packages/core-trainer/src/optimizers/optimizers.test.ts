import { readFileSync } from 'node:fs';
import { type GradientTransformation, type Tree, treeClone, treeDispose, treeEntries } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import {
  applyUpdates,
  chain,
  clipByBlockRms,
  clipByGlobalNorm,
  clipByValue,
  ema,
  matricesOnly,
  reduceOnPlateau,
  takeStep,
} from '../transforms/index.ts';
import {
  adafactor,
  adam,
  adamw,
  lion,
  momentum,
  muon,
  nadamw,
  nesterov,
  prodigy,
  scheduleFreeAdamw,
  scheduleFreeSgd,
  sgd,
} from './index.ts';

type Values = Record<string, number[]>;
interface Fixture {
  shapes: Record<string, number[]>;
  losses: number[];
  start: Values;
  grads: Values[];
  optimizers: Record<string, { params: Values; evaluated: Values }>;
}
const fixture = JSON.parse(readFileSync(new URL('fixtures/optax.json', import.meta.url), 'utf8')) as Fixture;

/** The rate of the fixtures: falls with the step, the first being 0. */
const schedule = (step: number) => 0.1 / (1 + step);

const optimizers: Record<string, () => GradientTransformation> = {
  sgd: () => sgd(0.1),
  'sgd, schedule': () => sgd(schedule),
  'sgd, decay': () => sgd(0.1, { weightDecay: 0.05 }),
  momentum: () => momentum(0.1),
  'momentum, decay': () => momentum(0.1, { beta: 0.8, weightDecay: 0.05 }),
  nesterov: () => nesterov(0.1),
  'nesterov, schedule, decay': () => nesterov(schedule, { weightDecay: 0.05 }),
  adam: () => adam(0.1),
  'adam, other numbers': () => adam(schedule, { beta1: 0.8, beta2: 0.95, epsilon: 1e-3 }),
  adamw: () => adamw(0.1, { weightDecay: 0.05 }),
  'adamw, schedule, mask': () => adamw(schedule, { weightDecay: 0.05, mask: matricesOnly }),
  nadamw: () => nadamw(0.1, { weightDecay: 0.05 }),
  lion: () => lion(0.01, { weightDecay: 0.05 }),
  'lion, other numbers': () => lion(schedule, { beta1: 0.8, beta2: 0.95 }),
  adafactor: () => adafactor(0.1, { minFactored: 3 }),
  'adafactor, unfactored': () => adafactor(schedule, { minFactored: 100, beta1: 0.9, weightDecay: 0.01 }),
  'adafactor, plain': () => adafactor(0.1, { minFactored: 3, relative: false, clip: false }),
  muon: () => muon(0.1, { nesterov: false, weightDecay: 0.05, rest: adamw(0.02, { weightDecay: 0.05 }) }),
  'muon, consistent rms': () => muon(0.1, { beta: 0.9, nesterov: false, size: 0.2, rest: adam(0.1) }),
  'schedule-free adamw': () => scheduleFreeAdamw(0.1, { weightDecay: 0.05 }),
  'schedule-free sgd': () => scheduleFreeSgd(0.1, { beta: 0.8 }),
  prodigy: () => prodigy(1, { distance0: 0.01, weightDecay: 0.05 }),
  'prodigy, safeguard': () =>
    prodigy((step) => 1 / (1 + step / 5), { distance0: 0.01, coefficient: 2, safeguardWarmup: true }),
  'clip by value': () => chain(clipByValue(0.5), sgd(0.1)),
  'clip by global norm': () => chain(clipByGlobalNorm(1), sgd(0.1)),
  'clip by block rms': () => chain(clipByBlockRms(0.5), sgd(0.1)),
  ema: () => chain(ema(0.9), sgd(0.1)),
  plateau: () => chain(sgd(0.1), reduceOnPlateau({ factor: 0.5, patience: 2, cooldown: 1, tolerance: 1e-2 })),
};

const make = (values: Values): Record<string, tf.Tensor> =>
  Object.fromEntries(Object.entries(fixture.shapes).map(([name, shape]) => [name, tf.tensor(values[name]!, shape)]));

async function expectTree(actual: Tree, expected: Values, tolerance: number) {
  for (const [path, leaf] of treeEntries(actual)) await expectClose(leaf, expected[path]!, tolerance);
}

/** Ten steps over the fixture's gradients, by `step` or by `update` and adding. */
function run(optimizer: GradientTransformation, fused: boolean): { params: Tree; state: Tree } {
  let params: Tree = make(fixture.start);
  let state = optimizer.init(params);
  fixture.grads.forEach((values, step) => {
    const grads = make(values);
    const loss = tf.scalar(fixture.losses[step]!);
    if (fused) {
      [params, state] = takeStep(optimizer, grads, state, params, { step, loss });
    } else {
      const [updates, next] = optimizer.update(grads, state, params, { step, loss });
      const moved = applyUpdates(params, updates);
      treeDispose([updates, state, params] as Tree);
      [params, state] = [moved, next];
    }
    treeDispose([grads, loss]);
  });
  return { params, state };
}

describeEachBackend('optimizers', () => {
  it('are all compared with optax', () => {
    expect(Object.keys(optimizers)).toEqual(Object.keys(fixture.optimizers));
  });

  for (const [name, create] of Object.entries(optimizers)) {
    it(`${name}: ten steps as in optax`, async () => {
      await expectNoLeak(async () => {
        for (const fused of [false, true]) {
          const optimizer = create();
          const { params, state } = run(optimizer, fused);
          const evaluated = optimizer.evaluationParams?.(state, params) ?? treeClone(params);
          await expectTree(params, fixture.optimizers[name]!.params, 2e-6);
          await expectTree(evaluated, fixture.optimizers[name]!.evaluated, 4e-6);
          treeDispose([params, state, evaluated]);
        }
      });
    });
  }

  it('adafactor keeps rows and columns of what is large enough', async () => {
    await expectNoLeak(() => {
      const params = { weight: tf.zeros([256, 128]), kernel: tf.zeros([3, 3, 128, 130]), bias: tf.zeros([128]) };
      const state = adafactor(1e-3).init(params);
      const shapes = treeEntries(state).map(([path, { shape }]) => `${path} [${shape}]`);
      expect(shapes).toEqual([
        '0.v.weight.row [128]',
        '0.v.weight.column [256]',
        '0.v.kernel.row [3,3,128]',
        '0.v.kernel.column [3,3,130]',
        '0.v.bias.full [128]',
      ]);
      treeDispose([params, state]);
    });
  });

  it('muon with look-ahead: two steps as in plain JavaScript', async () => {
    await expectNoLeak(async () => {
      const start = { weight: fixture.start.weight! };
      const params = { weight: tf.tensor2d(start.weight, [5, 3]) };
      const optimizer = muon(0.1, { weightDecay: 0.05 });
      let [moved, state] = [params, optimizer.init(params)];
      for (let step = 0; step < 2; step++) {
        const grads = { weight: tf.tensor2d(fixture.grads[step]!.weight!, [5, 3]) };
        [moved, state] = takeStep(optimizer, grads, state, moved, { step });
        treeDispose(grads);
      }
      await expectClose(
        moved.weight,
        muonInDoubles(
          start.weight,
          [5, 3],
          fixture.grads.slice(0, 2).map((g) => g.weight!),
        ),
        2e-6,
      );
      treeDispose([moved, state]);
    });
  });
});

/** Muon as its author wrote it (lerp in place of a trace, which the orthogonalisation cannot tell apart), in doubles. */
function muonInDoubles(start: number[], [rows, columns]: [number, number], grads: number[][]): number[] {
  let p = start;
  let m = start.map(() => 0);
  for (const g of grads) {
    m = m.map((old, i) => 0.95 * old + 0.05 * g[i]!);
    const ahead = m.map((now, i) => 0.95 * now + 0.05 * g[i]!);
    const norm = Math.hypot(...ahead);
    // [columns, rows]: the matrix is tall.
    let x = Array.from({ length: columns }, (_, c) =>
      Array.from({ length: rows }, (_, r) => ahead[r * columns + c]! / norm),
    );
    for (let i = 0; i < 5; i++) {
      const gram = product(x, transposed(x));
      const square = product(gram, gram);
      const polynomial = gram.map((line, r) => line.map((v, c) => -4.775 * v + 2.0315 * square[r]![c]!));
      const bent = product(polynomial, x);
      x = x.map((line, r) => line.map((v, c) => 3.4445 * v + bent[r]![c]!));
    }
    p = p.map((v, i) => v - 0.1 * (x[i % columns]![Math.floor(i / columns)]! + 0.05 * v));
  }
  return p;
}

const transposed = (a: number[][]): number[][] => a[0]!.map((_, c) => a.map((line) => line[c]!));
const product = (a: number[][], b: number[][]): number[][] =>
  a.map((line) => b[0]!.map((_, c) => line.reduce((sum, v, k) => sum + v * b[k]![c]!, 0)));
