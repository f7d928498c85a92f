import {
  FrugalError,
  key,
  meter,
  randomNormal,
  type Tree,
  treeDispose,
  treeEntries,
  treeLeaves,
  valueAndGrad,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { CountOptions, Gate } from '../gate.ts';

/** A gate breaks the contract; the message says which rule and what it got. */
export class GateViolation extends FrugalError {
  constructor(message: string) {
    super('CONTRACT_VIOLATION', message);
  }
}

/** One rule of the contract. */
export interface GateCheck {
  readonly name: string;
  /** Resolves where the rule holds, rejects with a `GateViolation` that says what does not. */
  run(): Promise<void>;
}

/** Makes the gate under test, for tokens of width `dim`. */
export type MakeGate = (dim: number, learners: number) => Gate;

const [dim, learners, tokens] = [6, 4, 12];
const training = { train: true, key: key(5) };

function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new GateViolation(message);
}

const same = (a: ArrayLike<number>, b: ArrayLike<number>): boolean =>
  a.length === b.length && Array.from(a).every((value, i) => Object.is(value, b[i]));

interface Scene {
  readonly gate: Gate;
  readonly choices: number;
  readonly params: Tree;
  readonly x: tf.Tensor;
  /** Logits on the host that differ from token to token, whatever the gate's first weights. */
  readonly logits: Float32Array;
}

async function inScene(make: MakeGate, body: (scene: Scene) => unknown): Promise<void> {
  const gate = make(dim, learners);
  const choices = gate.learners + 1 - gate.min;
  const params = gate.init(key(1));
  const x = randomNormal(key(2), [tokens, dim], { sd: 5 });
  const logits = Float32Array.from({ length: tokens * choices }, (_, i) => 3 * Math.sin(5 * i + i * i));
  try {
    await body({ gate, choices, params, x, logits });
  } finally {
    tf.dispose([params, x] as tf.TensorContainer);
  }
}

async function keepsKeys(make: MakeGate): Promise<void> {
  const gate = make(dim, learners);
  demand(gate.learners === learners, `learners must be ${learners}, got ${gate.learners}.`);
  const inRange = Number.isInteger(gate.min) && gate.min >= 0 && gate.min < learners;
  demand(inRange, `min must be an integer in [0, ${learners}), got ${gate.min}.`);
  const values: number[][] = [];
  for (const tree of [key(1), key(1), key(2)].map((key) => gate.init(key))) {
    const leaves = treeEntries(tree);
    values.push((await Promise.all(leaves.map(async ([, leaf]) => Array.from(await leaf.data())))).flat());
    treeDispose(tree);
  }
  demand(same(values[0]!, values[1]!), 'init must give equal parameters for equal keys.');
  demand(values[0]!.length === 0 || !same(values[0]!, values[2]!), 'init must give other parameters for another key.');
}

function givesLogits(make: MakeGate): Promise<void> {
  return inScene(make, async ({ gate, params, x, choices }) => {
    const passes = [undefined, undefined, training, training].map((ctx) => tf.tidy(() => gate.logits(params, x, ctx)));
    const values = await Promise.all(passes.map((pass) => pass.data()));
    const [{ shape, dtype }] = passes as [tf.Tensor];
    tf.dispose(passes);
    const right = same(shape, [tokens, choices]) && dtype === 'float32';
    demand(right, `logits must be float32 [${tokens}, ${choices}], one per number, got ${dtype} [${shape}].`);
    demand(
      values.every((v) => Array.from(v).every(Number.isFinite)),
      'logits must be finite.',
    );
    const alike = same(values[0]!, values[1]!) && same(values[2]!, values[3]!);
    demand(alike, 'logits must be the same for the same context: draw from ctx.key.');
  });
}

function countsFlops(make: MakeGate): Promise<void> {
  return inScene(make, ({ gate, params, x }) => {
    const { result, flops } = meter(() => tf.tidy(() => gate.logits(params, x)));
    result.dispose();
    const message = `flopsPerToken must be within 1 % of what the meter counts, ${flops / tokens}, got ${gate.flopsPerToken}.`;
    demand(Math.abs(gate.flopsPerToken * tokens - flops) <= 0.01 * flops, message);
  });
}

const choicesOf: readonly (readonly [name: string, options: CountOptions])[] = [
  ['no options', {}],
  ['tilt −3', { tilt: -3 }],
  ['tilt 3', { tilt: 3 }],
  ['threshold 0', { threshold: 0 }],
  ['threshold 1', { threshold: 1 }],
];

function selects(make: MakeGate): Promise<void> {
  return inScene(make, ({ gate, logits, choices }) => {
    for (const [where, options] of choicesOf) {
      const copy = logits.slice();
      const [first, second] = [gate.select(copy, tokens, options), gate.select(copy, tokens, options)];
      const right = first instanceof Uint8Array && first.length === tokens;
      demand(right, `select with ${where} must give a Uint8Array of ${tokens} numbers.`);
      const inRange = first.every((k) => k >= gate.min && k <= learners);
      demand(inRange, `select with ${where} must give numbers in [${gate.min}, ${learners}], got ${first}.`);
      demand(same(copy, logits), 'select must not write into the logits.');
      demand(same(first, second), 'select must be pure: the same logits gave another choice.');
    }
    const alone = gate.select(logits.slice(0, choices), 1);
    demand(alone[0] === gate.select(logits, tokens)[0], 'a token must get the same number whoever else is there.');
    demand(gate.select(new Float32Array(0), 0).length === 0, 'no tokens must give no numbers.');
    const fixed = gate.select(logits, tokens, { count: learners });
    demand(
      fixed.every((k) => k === learners),
      `count ${learners} must give every token ${learners}, got ${fixed}.`,
    );
  });
}

function rises(make: MakeGate, name: 'tilt' | 'threshold', values: readonly number[]): Promise<void> {
  return inScene(make, ({ gate, logits }) => {
    let before: Uint8Array | undefined;
    for (const value of values) {
      const now = gate.select(logits, tokens, { [name]: value });
      const less = before === undefined ? -1 : now.findIndex((k, t) => k < before![t]!);
      demand(less < 0, `a larger ${name} must never give a token fewer learners: token ${less} at ${value}.`);
      before = now;
    }
  });
}

function reachesEnds(make: MakeGate): Promise<void> {
  return inScene(make, ({ gate, logits }) => {
    const [least, most] = [gate.select(logits, tokens, { tilt: -1e3 }), gate.select(logits, tokens, { tilt: 1e3 })];
    const wide = least.every((k) => k === gate.min) && most.every((k) => k === learners);
    demand(wide, `a tilt of ∓1000 must give every token ${gate.min} and ${learners}, got ${least} and ${most}.`);
  });
}

function learns(make: MakeGate): Promise<void> {
  return inScene(make, async ({ gate, params, x, choices }) => {
    if (treeLeaves(params).length === 0) return;
    const weights = randomNormal(key(9), [tokens, choices]);
    const f = (p: Tree): tf.Tensor => tf.tidy(() => tf.sum(tf.mul(tf.softmax(gate.logits(p, x)), weights)));
    const [value, grads] = valueAndGrad(f)(params);
    let largest = 0;
    for (const leaf of treeLeaves(grads) as tf.Tensor[]) {
      const values = Array.from(await leaf.data());
      demand(values.every(Number.isFinite), 'gradients must be finite.');
      largest = Math.max(largest, ...values.map(Math.abs));
    }
    tf.dispose([value, grads, weights] as tf.TensorContainer);
    demand(largest > 0, 'a gradient must reach the parameters: compute the logits with differentiable operations.');
  });
}

async function leaksNothing(make: MakeGate): Promise<void> {
  const before = tf.memory().numTensors;
  await inScene(make, ({ gate, params, x }) => {
    gate.logits(params, x, training).dispose();
    demand(!x.isDisposed, 'logits must not dispose its input.');
  });
  const leaked = tf.memory().numTensors - before;
  demand(leaked === 0, `init and logits must leave nothing behind but what they return, ${leaked} tensors remain.`);
}

const rules: readonly (readonly [name: string, check: (make: MakeGate) => Promise<void>])[] = [
  ['initialises by key', keepsKeys],
  ['gives logits, the same for the same context', givesLogits],
  ['counts its FLOPs', countsFlops],
  ['selects valid numbers, token by token, and is pure', selects],
  ['never gives less for a larger tilt', (make) => rises(make, 'tilt', [-9, -3, -1, 0, 1, 3, 9])],
  ['never gives less for a larger threshold', (make) => rises(make, 'threshold', [0, 0.25, 0.5, 0.75, 1])],
  ['reaches both ends of its range', reachesEnds],
  ['lets gradients through', learns],
  ['leaks nothing', leaksNothing],
];

/**
 * What every gate must do, as named checks for any test runner:
 *
 *     for (const { name, run } of gateContract((dim, learners) => myGate(dim, learners))) test(name, run);
 *
 * They run on the current backend, which must be started, and need gradients (`useBackend` brings both).
 */
export function gateContract(make: MakeGate): GateCheck[] {
  return rules.map(([name, check]) => ({ name, run: () => check(make) }));
}
