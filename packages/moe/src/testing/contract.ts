import {
  FrugalError,
  foldIn,
  key,
  meter,
  randomNormal,
  type Tree,
  treeDispose,
  treeEntries,
  valueAndGrad,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type DispatchPlan, planDispatch } from '../plan.ts';
import type { Router, Selection, SelectOptions } from '../router.ts';

/** A router breaks the contract; the message says which rule and what it got. */
export class RouterViolation extends FrugalError {
  constructor(message: string) {
    super('CONTRACT_VIOLATION', message);
  }
}

/** One rule of the contract. */
export interface RouterCheck {
  readonly name: string;
  /** Resolves where the rule holds, rejects with a `RouterViolation` that says what does not. */
  run(): Promise<void>;
}

/** Makes the router under test. */
export type MakeRouter = (dim: number, experts: number) => Router;

/** Options of `routerContract`. */
export interface RouterContractOptions {
  /** Rules that cannot hold, by their names, each with the reason. */
  skip?: Readonly<Record<string, string>>;
}

const [dim, experts, tokens] = [6, 4, 10];
const training = { train: true, key: key(5) };

function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new RouterViolation(message);
}

/** A router, parameters that are not small, and tokens. */
interface Scene {
  readonly router: Router;
  readonly params: Tree;
  readonly x: tf.Tensor;
  /** Logits at inference, on the host. */
  readonly logits: Float32Array;
}

async function inScene(make: MakeRouter, body: (scene: Scene) => unknown): Promise<void> {
  const router = make(dim, experts);
  const params = router.init(key(1));
  const x = randomNormal(key(2), [tokens, dim], { sd: 5 });
  const device = tf.tidy(() => router.logits(params, x));
  const logits = (await device.data()) as Float32Array;
  try {
    await body({ router, params, x, logits });
  } finally {
    tf.dispose([params, x, device] as tf.TensorContainer);
  }
}

const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  a.length === b.length && Array.from(a).every((value, i) => Object.is(value, b[i]));

const close = (a: ArrayLike<number>, b: ArrayLike<number>, tolerance: number): boolean =>
  a.length === b.length &&
  Array.from(a).every((value, i) => Math.abs(value - b[i]!) <= tolerance * (1 + Math.abs(b[i]!)));

async function keepsKeys(make: MakeRouter): Promise<void> {
  const router = make(dim, experts);
  demand(router.experts === experts, `experts must be ${experts}, got ${router.experts}.`);
  const trees = [key(1), key(1), key(2)].map((key) => router.init(key));
  const values: number[][] = [];
  for (const tree of trees) {
    const leaves = treeEntries(tree);
    values.push((await Promise.all(leaves.map(async ([, leaf]) => Array.from(await leaf.data())))).flat());
  }
  for (const tree of trees) treeDispose(tree);
  demand(same(values[0]!, values[1]!), 'init must give equal parameters for equal keys.');
  demand(values[0]!.length === 0 || !same(values[0]!, values[2]!), 'init must give other parameters for another key.');
}

function givesLogits(make: MakeRouter): Promise<void> {
  return inScene(make, async ({ router, params, x }) => {
    const passes = [undefined, undefined, training, training].map((ctx) =>
      tf.tidy(() => router.logits(params, x, ctx)),
    );
    const values = await Promise.all(passes.map((pass) => pass.data()));
    const [{ shape, dtype }] = passes as [tf.Tensor];
    tf.dispose(passes);
    demand(
      same(shape, [tokens, experts]) && dtype === 'float32',
      `logits must be float32 [${tokens}, ${experts}], got ${dtype} [${shape}].`,
    );
    demand(
      values.every((v) => Array.from(v).every(Number.isFinite)),
      'logits must be finite.',
    );
    demand(same(values[0]!, values[1]!), 'logits must be the same for the same context, at inference.');
    demand(
      same(values[2]!, values[3]!),
      'logits must be the same for the same context, in training: draw from ctx.key.',
    );
  });
}

function countsFlops(make: MakeRouter): Promise<void> {
  return inScene(make, ({ router, params, x }) => {
    const { result, flops } = meter(() => tf.tidy(() => router.logits(params, x)));
    result.dispose();
    const claimed = router.flopsPerToken * tokens;
    demand(
      Math.abs(claimed - flops) <= 0.01 * flops,
      `flopsPerToken must be within 1 % of what the meter counts, ${flops / tokens}, got ${router.flopsPerToken}.`,
    );
  });
}

const choices: readonly (readonly [name: string, options: SelectOptions])[] = [
  ['no options', {}],
  ['a bias', { bias: [0.3, -0.2, 0.1, 0] }],
  ['tau 0', { tau: 0 }],
  ['tau 1', { tau: 1 }],
];

function demandSelection({ slots, gates }: Selection, count: number, where: string): void {
  demand(
    slots instanceof Int32Array && gates instanceof Float32Array,
    `select with ${where} must give Int32Array slots and Float32Array gates.`,
  );
  demand(
    slots.length === gates.length,
    `select with ${where} must give a gate for each of ${slots.length} slots, got ${gates.length}.`,
  );
  const rising = slots.every((slot, i) => slot >= 0 && slot < count * experts && (i === 0 || slot > slots[i - 1]!));
  demand(rising, `slots with ${where} must ascend in [0, tokens · experts), got ${Array.from(slots)}.`);
  demand(gates.every(Number.isFinite), `gates with ${where} must be finite.`);
}

function selects(make: MakeRouter): Promise<void> {
  return inScene(make, ({ router, logits }) => {
    for (const [where, options] of choices) {
      const copy = logits.slice();
      const [first, second] = [router.select(copy, tokens, options), router.select(copy, tokens, options)];
      demandSelection(first, tokens, where);
      demand(same(copy, logits), 'select must not write into the logits.');
      demand(
        same(first.slots, second.slots) && same(first.gates, second.gates),
        'select must be pure: the same logits gave another choice.',
      );
    }
    demandSelection(router.select(logits.slice(0, experts), 1), 1, 'a single token');
    demandSelection(router.select(new Float32Array(tokens * experts), tokens), tokens, 'equal logits');
    demandSelection(router.select(new Float32Array(0), 0), 0, 'no tokens');
  });
}

function growsWithTau(make: MakeRouter): Promise<void> {
  return inScene(make, ({ router, logits }) => {
    const pairs = [0, 0.25, 0.5, 0.75, 1].map((tau) => router.select(logits, tokens, { tau }).slots.length);
    const rises = pairs.every((count, i) => i === 0 || count >= pairs[i - 1]!);
    demand(rises, `a larger tau must never choose fewer pairs, got ${pairs} for 0, 0.25, 0.5, 0.75, 1.`);
  });
}

/** Plans with everything, with a bias, and with pairs dropped. */
function plans({ router, logits }: Scene): [string, DispatchPlan][] {
  const shape = { tokens, experts };
  return [
    ['a plan', planDispatch(router.select(logits, tokens), shape)],
    ['a biased plan', planDispatch(router.select(logits, tokens, { bias: [0.5, 0, -0.5, 0] }), shape)],
    ['a plan with drops', planDispatch(router.select(logits, tokens), { ...shape, capacity: { factor: 0.5 } })],
  ];
}

function gatesAlike(make: MakeRouter): Promise<void> {
  return inScene(make, async (scene) => {
    const { router, params, x } = scene;
    for (const [name, plan] of plans(scene)) {
      const device = tf.tidy(() => router.gates(router.logits(params, x), plan) ?? tf.ones([plan.rows.length, 1]));
      const values = await device.data();
      device.dispose();
      demand(
        same(device.shape, [plan.rows.length, 1]),
        `gates of ${name} must be [${plan.rows.length}, 1], got [${device.shape}].`,
      );
      demand(
        close(values, plan.gates, 1e-5),
        `gates of ${name} must be those of select, ${plan.gates}, got ${values}.`,
      );
    }
  });
}

function differentiates(make: MakeRouter): Promise<void> {
  return inScene(make, async (scene) => {
    const { router, params, x } = scene;
    const [[, plan]] = plans(scene) as [[string, DispatchPlan]];
    if (treeEntries(params).length === 0) return;
    const weights = randomNormal(key(9), [plan.rows.length, 1]);
    const f = (p: Tree): tf.Tensor =>
      tf.tidy(() => {
        const logits = router.logits(p, x);
        return tf.sum(tf.mul(router.gates(logits, plan) ?? tf.sum(logits), weights));
      });
    const [value, grads] = valueAndGrad(f)(params);
    const h = 1e-2;
    for (const [i, [path, gradient]] of treeEntries(grads).entries()) {
      const direction = tf.tidy(() => {
        const random = randomNormal(foldIn(key(11), i), gradient.shape);
        return tf.div(random, tf.norm(random));
      });
      const at = async (sign: number): Promise<number> => {
        const moved = tf.tidy(() => {
          const shift = (leaf: Tree, at: string): Tree => {
            if (leaf instanceof tf.Tensor) return at === path ? tf.add(leaf, tf.mul(direction, sign * h)) : leaf;
            return Object.fromEntries(
              Object.entries(leaf as object).map(([name, child]) => [
                name,
                shift(child as Tree, at === '' ? name : `${at}.${name}`),
              ]),
            );
          };
          return f(shift(params, ''));
        });
        const [loss] = await moved.data();
        moved.dispose();
        return loss!;
      };
      const numeric = ((await at(1)) - (await at(-1))) / (2 * h);
      const along = tf.tidy(() => tf.sum(tf.mul(gradient, direction)));
      const [analytic] = await along.data();
      tf.dispose([direction, along]);
      demand(
        Math.abs(numeric - analytic!) <= 2e-2 * Math.max(1, Math.abs(numeric)),
        `the gradient in '${path}' must be that of central differences, ${numeric}, got ${analytic}.`,
      );
    }
    tf.dispose([value, grads, weights] as tf.TensorContainer);
  });
}

async function leaksNothing(make: MakeRouter): Promise<void> {
  const before = tf.memory().numTensors;
  await inScene(make, (scene) => {
    const logits = scene.router.logits(scene.params, scene.x, training);
    for (const [, plan] of plans(scene)) scene.router.gates(logits, plan)?.dispose();
    logits.dispose();
    demand(!scene.x.isDisposed, 'logits must not dispose its input.');
  });
  const leaked = tf.memory().numTensors - before;
  demand(
    leaked === 0,
    `init, logits and gates must leave nothing behind but what they return, ${leaked} tensors remain.`,
  );
}

const rules: readonly (readonly [name: string, check: (make: MakeRouter) => Promise<void>])[] = [
  ['initialises by key', keepsKeys],
  ['gives logits, the same for the same context', givesLogits],
  ['counts its FLOPs', countsFlops],
  ['selects valid pairs and is pure', selects],
  ['never chooses less for a larger tau', growsWithTau],
  ['has the same gates on host and device, with a bias and with drops', gatesAlike],
  ['has gates with the right gradient', differentiates],
  ['leaks nothing', leaksNothing],
];

/**
 * What every router must do, as named checks for any test runner:
 *
 *     for (const { name, run } of routerContract((dim, experts) => myRouter(dim, experts))) test(name, run);
 *
 * They run on the current backend, which must be started, and need gradients (`useBackend` brings both).
 *
 * @throws {FrugalError} `INVALID_ARGUMENT` where `skip` names a rule that does not exist.
 */
export function routerContract(make: MakeRouter, options: RouterContractOptions = {}): RouterCheck[] {
  const { skip = {} } = options;
  const names = rules.map(([name]) => name);
  const unknown = Object.keys(skip).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new FrugalError(
      'INVALID_ARGUMENT',
      `skip names '${unknown}', but there are ${names.map((name) => `'${name}'`).join(', ')}.`,
    );
  }
  return rules.filter(([name]) => !(name in skip)).map(([name, check]) => ({ name, run: () => check(make) }));
}
