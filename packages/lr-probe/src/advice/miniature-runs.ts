import type { Tree } from '@frugal/tensor';
import { checkNumber, ProbeError } from '../errors.ts';
import type { GradientNoise } from '../noise/running.ts';
import { type CriticalRate, findCriticalRate } from '../probes/critical-rate.ts';
import { type Miniature, runMiniature } from '../probes/miniature.ts';
import type { ProbeCost } from '../problem.ts';
import { onScene, type Scene } from '../scene.ts';
import { warmCosine } from '../schedule.ts';
import { climb } from './climb.ts';
import type { Advice, Confidence, Policy } from './policy.ts';

/** Options of `miniatureRuns`. */
export interface MiniatureRunsOptions {
  /** Steps of a miniature as a share of the run. Default 1/7. */
  readonly share?: number;
  /** A miniature is never shorter. Default 12. */
  readonly least?: number;
  /** A miniature is never longer. Default: no bound. */
  readonly most?: number;
  /**
   * Share of its steps that a miniature warms up. Default 0.7: with a seventh of the run as many steps as the run in its first tenth, so that
   * it passes the same catapults.
   */
  readonly rise?: number;
  /** Rates per decade that are tried. Default 2. */
  readonly perDecade?: number;
  /** Rungs above the next that are looked at. Default 1. */
  readonly lookAhead?: number;
  /** Share of what the best rate gains that a rung has to gain for those above it to be looked at. Default 0.5. */
  readonly hope?: number;
  /** The climb starts at η_c times this. Default 0.3. */
  readonly start?: number;
  /** Examples that the end of a miniature is measured on. Default 256. */
  readonly examples?: number;
  /** Share of its steps that a miniature may stand above twice its first loss, for a catapult comes back. Default 0.1. */
  readonly patience?: number;
  /** e: in a run of T steps, more than six miniatures of n, the rate is taken times (6 n / T)^e. Default 0.25, chosen by `runs/lr-shrink.sh`. */
  readonly shrink?: number;
}

/** The quick setting of `probe`: shorter miniatures, which rise for a little less of their steps. */
export const quickMiniatures: MiniatureRunsOptions = { share: 1 / 24, most: 50, rise: 0.6 };

/** Difference of two losses, relative, below which the choice between them is chance. */
const CLOSE = 0.01;
/** Difference of two losses, relative, that makes the better rate e times as heavy. */
const TEMPERATURE = 0.1;
/** Relative difference of two losses that float32 and its sums do not resolve. */
const RESOLUTION = 2 ** -22;

/**
 * Miniature runs of the whole schedule, climbed from η_c to a bracket: the default.
 *
 * The rate is the geometric mean of the lowest and its two neighbours, each with weight exp(−(L − L_min) / (0.1 L_min)): a
 * pick between the rungs that is not at the mercy of one of them, as the top of a parabola would be. The longer the run
 * is compared to its miniatures, the lower its best rate: times (6 n / T)^`shrink` where it is longer than six of them.
 *
 * Its `advise` throws `ProbeError`: `NOT_FINITE`, `DIVERGED`; `FLAT` where no rate changes the loss, `UNBOUNDED` where the highest of many
 * is the best, `NO_DESCENT` where none lowers the loss.
 */
export function miniatureRuns(options: MiniatureRunsOptions = {}): Policy {
  const {
    share = 1 / 7,
    least = 12,
    most = Number.POSITIVE_INFINITY,
    rise = 0.7,
    perDecade = 2,
    lookAhead = 1,
    hope = 0.5,
    start = 0.3,
    examples = 256,
    patience = 0.1,
    shrink = 0.25,
  } = options;
  checkNumber('share', share, { positive: true, max: 1 });
  checkNumber('rise', rise, { min: 0, max: 0.99 });
  checkNumber('perDecade', perDecade, { min: 1 });
  checkNumber('shrink', shrink, { min: 0 });
  return {
    name: `miniature runs of 1/${Math.round(1 / share)}`,
    advise: (problem, policy) =>
      onScene(problem, policy, async (scene) => {
        const { optimizer, steps: whole } = policy;
        const steps = Math.min(whole, most, Math.max(least, Math.round(share * whole)));
        const critical = await findCriticalRate(scene, { optimizer }).catch((error: unknown) => {
          if (error instanceof ProbeError && error.code !== 'NOT_FINITE') return undefined;
          throw error;
        });
        const runs: Miniature[] = [];
        const rateOf = (rung: number): number => 10 ** (rung / perDecade);
        const first = Math.round(perDecade * Math.log10(start * (critical?.rate ?? 0.03)));
        const { pick } = await climb(
          async (rung) => {
            const run = await runMiniature(scene, rateOf(rung), {
              ...{ optimizer, steps, examples, patience, schedule: warmCosine(rise) },
              ...(critical === undefined ? {} : { start: critical.loss }),
            });
            runs.push(run);
            return run.loss;
          },
          first,
          { lookAhead, hopeless: (loss, best) => gainOf(runs, loss) < hope * gainOf(runs, best) },
        );
        runs.sort((a, b) => a.rate - b.rate);
        if (pick === undefined) {
          const tried = runs.map(({ rate }) => rate.toPrecision(2)).join(', ');
          throw new ProbeError('DIVERGED', `miniature runs of ${steps} steps diverged at every rate: ${tried}.`);
        }
        await refuseGuess(scene, runs, rateOf(pick), examples);
        const factor = Math.min(1, ((6 * steps) / whole) ** shrink);
        return adviceFrom({ runs, best: rateOf(pick), critical, steps, whole, factor, cost: scene.cost });
      }),
  };
}

/** How far below the first loss a miniature came. */
const gainOf = ([run]: readonly Miniature[], loss: number): number => run!.losses[0]! - loss;

/** A failed search is a failure: the rate where it began, or where it gave up, is none to recommend. */
async function refuseGuess<P extends Tree, B>(
  scene: Scene<P, B>,
  runs: readonly Miniature[],
  best: number,
  examples: number,
): Promise<void> {
  const at = runs.findIndex(({ rate }) => rate === best);
  const { loss, losses } = runs[at]!;
  const rates = `rates from ${runs[0]!.rate.toPrecision(2)} to ${runs.at(-1)!.rate.toPrecision(2)}`;
  if (runs.every((run) => Math.abs(run.loss - loss) <= RESOLUTION * Math.abs(loss))) {
    throw new ProbeError(
      'FLAT',
      `miniature runs at ${rates} all ended at a loss of ${loss}: the rate changes nothing.`,
    );
  }
  if (at === runs.length - 1) {
    throw new ProbeError(
      'UNBOUNDED',
      `of miniature runs at ${rates} the last ended lowest. Is the loss bounded below?`,
    );
  }
  if (losses.at(-1)! < losses[0]! && at > 0) return;
  const start = await scene.loss(scene.problem.params, await scene.batchesOf(examples));
  if (loss < start && at > 0) return;
  throw new ProbeError(
    'NO_DESCENT',
    `of miniature runs at ${rates} the best ended at a loss of ${loss}, from ${start}. The parameters may be trained already.`,
  );
}

function adviceFrom(found: {
  runs: readonly Miniature[];
  best: number;
  critical: CriticalRate | undefined;
  steps: number;
  whole: number;
  factor: number;
  cost: ProbeCost;
}): Advice {
  const { runs, best, critical, steps, whole, factor, cost } = found;
  return {
    rate: middle(runs, best) * factor,
    ...judge(runs, best, { steps, whole, factor }),
    evidence: { miniatures: runs, noise: noiseAround(runs, best), ...(critical === undefined ? {} : { critical }) },
    cost,
  };
}

/** The best rate's first, then what its neighbours saw. */
function noiseAround(runs: readonly Miniature[], best: number): GradientNoise[] {
  const at = runs.findIndex(({ rate }) => rate === best);
  const near = [runs[at], runs[at - 1], runs[at + 1]];
  return near.flatMap((run) => (run?.noise === undefined ? [] : [run.noise]));
}

/** The weighted geometric mean of the best rate and those next to it. */
function middle(runs: readonly Miniature[], best: number): number {
  const at = runs.findIndex(({ rate }) => rate === best);
  const lowest = runs[at]!.loss;
  let [weights, sum] = [0, 0];
  for (const { rate, loss } of runs.slice(Math.max(0, at - 1), at + 2)) {
    const weight = Math.exp((lowest - loss) / (TEMPERATURE * Math.abs(lowest) || Number.MIN_VALUE));
    weights += weight;
    sum += weight * Math.log(rate);
  }
  return Math.exp(sum / weights);
}

/** How sure the pick is, from its neighbours. */
function judge(
  runs: readonly Miniature[],
  best: number,
  { steps, whole, factor }: { steps: number; whole: number; factor: number },
): { confidence: Confidence; reasons: string[] } {
  const at = runs.findIndex(({ rate }) => rate === best);
  const lowest = runs[at]!.loss;
  const reasons = [
    `Of ${runs.length} miniature runs of ${steps} steps, the one at ${best.toPrecision(2)} ended lowest, at a loss of ${lowest.toPrecision(4)}.`,
  ];
  if (factor < 1) {
    reasons.push(
      `Longer runs want lower rates: times ${factor.toFixed(2)} for a run ${Math.round(whole / steps)} times as long.`,
    );
  }
  const neighbours = [runs[at - 1]!, runs[at + 1]!];
  const close = neighbours.filter((run) => run.loss - lowest < CLOSE * Math.abs(lowest));
  if (close.length === 2) {
    reasons.push('Both neighbours ended within 1 %: the rate matters little here, or the runs were too short to tell.');
    return { confidence: 'low', reasons };
  }
  if (neighbours[1]!.diverged) {
    reasons.push('The next higher rate diverged already: do not go higher.');
    return { confidence: 'medium', reasons };
  }
  if (close.length === 1) reasons.push('One neighbour ended within 1 %: a rate between the two is as good.');
  return { confidence: close.length === 1 ? 'medium' : 'high', reasons };
}
