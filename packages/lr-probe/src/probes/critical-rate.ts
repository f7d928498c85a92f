import { type Tree, treeDispose } from '@frugal/tensor';
import { checkNumber, ProbeError } from '../errors.ts';
import type { OptimizerFactory, OptimizerPosition, ProbeCost, ProbeOptions, Problem } from '../problem.ts';
import { onScene, type Scene } from '../scene.ts';
import { type Direction, findDirection, moveAlong } from './direction.ts';

/** A loss on the line of an update. */
export interface LinePoint {
  readonly rate: number;
  /** May be NaN or infinite. */
  readonly loss: number;
}

/** The edge of descent along an update. */
export interface CriticalRate {
  /** η_c: the smallest rate whose step raises the loss; the middle of `bracket`. */
  readonly rate: number;
  /** λ_c = 2 / η_c, the curvature along the update; a lower bound of the largest eigenvalue for plain gradients. */
  readonly sharpness: number;
  /** A rate that does not raise the loss, and one that does; at most 6.25 % apart. */
  readonly bracket: readonly [number, number];
  /** The loss at rate 0. */
  readonly loss: number;
  /** d loss / d rate at 0, negative. */
  readonly slope: number;
  /** What was evaluated, in ascending order of the rate. */
  readonly points: readonly LinePoint[];
  readonly cost: ProbeCost;
}

/** Options of `criticalRate`. */
export interface CriticalRateOptions extends ProbeOptions {
  readonly optimizer: OptimizerFactory;
  /** Where the search starts: the last η_c, if there was one. Default: from the curvature between 0 and a first step. */
  readonly guess?: number;
  /** Examples that the loss is taken on. Default: the batch of the gradient. */
  readonly examples?: number;
  /** For a probe in the middle of a run. */
  readonly position?: OptimizerPosition;
  /** Rates that the search may try. Default 60. */
  readonly limit?: number;
}

/** 1 − lower / upper at which the search ends. */
const WIDTH = 1 / 16;
/** Relative change of a loss that float32 and its sums do not resolve. */
const RESOLUTION = 2 ** -22;
const [LEAST, MOST] = [1e-30, 1e30];

/** What a step did to the loss. */
type Verdict = 'lower' | 'same' | 'higher';

/**
 * The critical learning rate η_c (arXiv 2601.16979): the smallest step along the optimizer's actual update that raises
 * the loss, by doubling or halving to a bracket and then closing it to 6.25 %.
 *
 * In a quadratic η_c = 2 gᵀu / (uᵀHu). Inside the bracket the secant of (L(η) − L(0)) / η, a straight line in a quadratic,
 * saves most of the bisections: one gradient and 3–6 forward passes from the last η_c. Noise is frozen; a loss that is
 * NaN counts as raised; a step too small to change a float32 loss as neither.
 *
 * @throws {ProbeError} Where there is no such rate: `NOT_FINITE`, `FLAT`, `NO_DESCENT`, `UNBOUNDED`. Never a guess.
 */
export async function criticalRate<P extends Tree, B>(
  problem: Problem<P, B>,
  options: CriticalRateOptions,
): Promise<CriticalRate> {
  return onScene(problem, options, (scene) => findCriticalRate(scene, options));
}

/** `criticalRate` on a scene that others use too. */
export async function findCriticalRate<P extends Tree, B>(
  scene: Scene<P, B>,
  options: CriticalRateOptions,
): Promise<CriticalRate> {
  const direction = await findDirection(scene, options.optimizer, options.position);
  try {
    return await searchAlong(scene, direction, options);
  } finally {
    treeDispose(direction.update);
  }
}

async function searchAlong<P extends Tree, B>(
  scene: Scene<P, B>,
  direction: Direction<P>,
  { guess, examples, limit = 60 }: CriticalRateOptions,
): Promise<CriticalRate> {
  const { params } = scene.problem;
  if (guess !== undefined) checkNumber('guess', guess, { positive: true });
  const batches = examples === undefined ? [await scene.batch(0)] : await scene.batchesOf(examples);
  const start = examples === undefined ? direction.loss : await scene.loss(params, batches);
  if (!Number.isFinite(start)) {
    throw new ProbeError(
      'NOT_FINITE',
      `the loss at the start is ${start}. Look at the data and the initial parameters.`,
    );
  }
  const points: LinePoint[] = [];
  const blur = RESOLUTION * Math.abs(start);

  async function evaluate(rate: number): Promise<Verdict> {
    if (points.length >= limit) {
      throw new ProbeError('NO_DESCENT', `no bracket after ${limit} rates, the last ${rate}. Pass a better guess.`);
    }
    const moved = scene.update(() => moveAlong(params, direction.update, rate));
    let loss: number;
    try {
      loss = await scene.loss(moved, batches);
    } finally {
      treeDispose(moved);
    }
    points.push({ rate, loss });
    scene.tell({ probe: 'criticalRate', done: points.length, rate, loss });
    // NaN compares false with everything: it must end here, as raised.
    if (!(loss <= start + blur)) return 'higher';
    return loss < start - blur ? 'lower' : 'same';
  }

  const [low, high] = await bracket(evaluate, guess ?? firstGuess(start, direction.slope));
  const edge = await close(evaluate, low, high, (rate) => chord(points, rate, start, direction.slope));
  const rate = (edge[0] + edge[1]) / 2;
  return {
    rate,
    sharpness: 2 / rate,
    bracket: edge,
    loss: start,
    slope: direction.slope,
    points: points.toSorted((a, b) => a.rate - b.rate),
    cost: scene.cost,
  };
}

/** The step that would take a tenth of the loss away if the slope held. */
function firstGuess(loss: number, slope: number): number {
  const step = (0.1 * Math.abs(loss)) / Math.abs(slope);
  return step >= LEAST && step <= MOST ? step : 1e-3;
}

/** Doubles or halves, further each time, to a rate that lowers the loss and one that raises it. */
async function bracket(evaluate: (rate: number) => Promise<Verdict>, guess: number): Promise<[number, number]> {
  let [low, high]: [number | undefined, number | undefined] = [undefined, undefined];
  let sawSame = false;
  for (let rate = guess, stride = 2; ; stride = Math.min(stride * stride, 256)) {
    const verdict = await evaluate(rate);
    if (verdict === 'lower') low = rate;
    else if (verdict === 'higher') high = rate;
    else sawSame = true;
    if (low !== undefined && high !== undefined) return [low, high];
    // A step that changes nothing is too small, unless larger ones raise the loss already: then none lowers it.
    if (verdict === 'same' && high !== undefined) {
      throw new ProbeError(
        'NO_DESCENT',
        `steps along the update raise the loss from rate ${high} on and change nothing at ${rate}. The parameters may be trained already.`,
      );
    }
    rate = verdict === 'higher' ? rate / stride : rate * stride;
    if (rate > MOST) {
      if (low === undefined && sawSame) {
        throw new ProbeError('FLAT', `no step up to rate ${MOST} changes the loss. Does it depend on the parameters?`);
      }
      throw new ProbeError('UNBOUNDED', `the loss falls up to rate ${MOST}. Is it bounded below?`);
    }
    if (rate < LEAST) {
      throw new ProbeError('NO_DESCENT', `every step down to rate ${LEAST} raises the loss. Is the gradient right?`);
    }
  }
}

/** (L(η) − L(0)) / η at a rate that was evaluated; the slope at 0. */
function chord(points: readonly LinePoint[], rate: number, start: number, slope: number): number {
  const point = points.findLast((one) => one.rate === rate);
  return point === undefined ? slope : (point.loss - start) / rate;
}

/** Closes a bracket by secants, and by halving its logarithm where they are slow. */
async function close(
  evaluate: (rate: number) => Promise<Verdict>,
  from: number,
  to: number,
  chordAt: (rate: number) => number,
): Promise<[number, number]> {
  let [low, high] = [from, to];
  for (let turn = 0, width = Math.log(high / low), slow = 0; 1 - low / high > WIDTH; turn++) {
    const [a, b] = [chordAt(low), chordAt(high)];
    const secant = low + ((high - low) * a) / (a - b);
    const middle = Math.sqrt(low * high);
    let rate = middle;
    if (slow < 2 && Number.isFinite(b) && secant > low && secant < high) {
      // A little to the side of the far end: if the secant is right, the bracket is narrow at once.
      const shifted = secant < middle ? secant * (1 + 0.4 * WIDTH) : secant * (1 - 0.4 * WIDTH);
      rate = Math.min(Math.max(shifted, low * (1 + WIDTH / 4)), high * (1 - WIDTH / 4));
    }
    if ((await evaluate(rate)) === 'higher') high = rate;
    else low = rate;
    const now = Math.log(high / low);
    slow = now > width / 2 && turn > 0 ? slow + 1 : 0;
    width = now;
  }
  return [low, high];
}
