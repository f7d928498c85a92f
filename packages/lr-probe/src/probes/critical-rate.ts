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
/** How far beyond a predicted edge to look: if the prediction is right, two looks close the bracket. */
const SIDE = 0.4 * WIDTH;
/** Relative change of a loss that float32 and its sums do not resolve. */
const RESOLUTION = 2 ** -22;
const [LEAST, MOST] = [1e-30, 1e30];

/** What a step did to the loss. */
type Verdict = 'lower' | 'same' | 'higher';

/**
 * The critical learning rate η_c (arXiv 2601.16979): the smallest step along the optimizer's actual update that raises
 * the loss, bracketed to 6.25 %.
 *
 * In a quadratic η_c = 2 gᵀu / (uᵀHu), and (L(η) − L(0)) / η is a straight line: its secants replace most of the doublings
 * and bisections. One gradient, and 3–5 forward passes from the last η_c. Noise is frozen; a loss that is
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
    const moved = scene.update(() => moveAlong(params, direction, rate));
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

  const chordAt = (rate: number): number => chord(points, rate, start);
  // In a parabola the chord (L(η) − L(0)) / η is a line in η, from the slope at 0 up through 0 at the edge.
  const crossing = (rate: number): number => (rate * direction.slope) / (direction.slope - chordAt(rate));
  const [low, high] = await bracket(evaluate, guess ?? firstGuess(start, direction.slope), crossing);
  const edge = await close(evaluate, low, high, chordAt);
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

/**
 * Steps to a rate that lowers the loss and one that raises it: to where the parabola through what is known crosses, a
 * little beyond, and by doubling or halving, further each time, where that says nothing.
 */
async function bracket(
  evaluate: (rate: number) => Promise<Verdict>,
  guess: number,
  crossing: (rate: number) => number,
): Promise<[number, number]> {
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
    rate = nextRate(rate, verdict, stride, crossing(rate));
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

/** Where to look next on the way to a bracket. */
function nextRate(rate: number, verdict: Verdict, stride: number, crossing: number): number {
  if (verdict === 'higher') {
    const blind = rate / stride;
    return crossing > 0 && crossing < rate ? Math.max((1 - SIDE) * crossing, blind / 16) : blind;
  }
  const blind = rate * stride;
  return verdict === 'lower' && crossing > rate ? Math.min((1 + SIDE) * crossing, blind * 16) : blind;
}

/** (L(η) − L(0)) / η at a rate that was evaluated. */
function chord(points: readonly LinePoint[], rate: number, start: number): number {
  return (points.findLast((one) => one.rate === rate)!.loss - start) / rate;
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
      const shifted = secant < middle ? secant * (1 + SIDE) : secant * (1 - SIDE);
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
