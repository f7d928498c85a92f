import {
  type GradientTransformation,
  type Schedule,
  type Tree,
  treeClone,
  treeDispose,
  treeLeaves,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { type Rate, toSchedule, warmup } from '../schedules/index.ts';
import { chain } from '../transforms/chain.ts';
import { addDecayedWeights, type DecayOptions } from '../transforms/decay.ts';
import { scaleByRms } from '../transforms/moments.ts';
import { scaleByLearningRate } from '../transforms/scale.ts';
import { release, stepOf, zipLeaves } from '../transforms/support.ts';

/** State of `scheduleFree`: the sequence z that the base optimizer moves, and the base's own state. */
export type ScheduleFreeState<S extends Tree = Tree> = { z: Tree; base: S };

/** Options of `scheduleFree`. */
export interface ScheduleFreeOptions {
  /** Where gradients are taken between z (0) and the average x (1), in (0, 1). Default 0.9. */
  beta?: number;
  /** Steps count in the average with (largest rate so far)^weightPower. Default 2. */
  weightPower?: number;
}

/**
 * The share of the newest z in the average, as a function of the step: wᵢ / Σⱼ≤ᵢ wⱼ with wᵢ = (maxⱼ≤ᵢ rate(j))^power.
 *
 * A function of the step alone, so nothing is kept in the state; the sums so far are remembered for speed only.
 */
function newestShare(rate: Schedule, power: number): Schedule {
  const shares: number[] = [];
  let largest = 0;
  let total = 0;
  return (step) => {
    for (let i = shares.length; i <= step; i++) {
      largest = Math.max(largest, rate(i));
      const weight = largest ** power;
      total += weight;
      shares.push(total === 0 ? 0 : weight / total);
    }
    return shares[step]!;
  };
}

/**
 * Schedule-free learning (arXiv 2405.15682) around an optimizer without momentum: no last step has to be known.
 *
 * The trained parameters are y = (1 − β)·z + β·x, where z follows the base optimizer and x is the average of all z.
 * Evaluate and ship x: `evaluationParams`. A warm-up is wanted, a decay is not.
 *
 * @param base - Moves z; its updates are computed from gradients at y.
 * @param learningRate - The rate of `base`, which weighs the average.
 */
export function scheduleFree<S extends Tree>(
  base: GradientTransformation<S>,
  learningRate: Rate,
  { beta = 0.9, weightPower = 2 }: ScheduleFreeOptions = {},
): GradientTransformation<ScheduleFreeState<S>> {
  checkNumber('beta', beta, { min: 0, max: 1, exclusive: true });
  checkNumber('weightPower', weightPower, { min: 0 });
  const share = newestShare(toSchedule('learningRate', learningRate), weightPower);

  /** The next z and y. x is never stored: (1 − c)·β·x = (1 − c)·(y − (1 − β)·z). */
  function move(updates: Tree, z: Tree, params: Tree, step: number): [z: Tree, y: Tree] {
    const c = share(step);
    return zipLeaves(2, [params, z, updates], (y, oldZ, u) => {
      const nextZ = tf.add(oldZ!, u!);
      const kept = tf.mul(tf.sub(y!, tf.mul(oldZ!, 1 - beta)), 1 - c);
      return [nextZ, tf.add(kept, tf.mul(nextZ, 1 - beta * (1 - c)))];
    }) as [Tree, Tree];
  }

  return {
    init: (params) => ({ z: treeClone(params), base: base.init(params) }),
    update: (grads, state, params, extra) => {
      const [u, next] = base.update(grads, state.base, params, extra);
      const [z, y] = move(u as Tree, state.z, params, stepOf(extra));
      const [updates] = zipLeaves(1, [y, params], (to, from) => [tf.sub(to!, from!)]);
      treeDispose([u, y]);
      return [updates, { z, base: next }];
    },
    step: (grads, state, params, extra) => {
      const [u, next] = base.update(grads, state.base, params, extra);
      const [z, y] = move(u as Tree, state.z, params, stepOf(extra));
      treeDispose(u);
      treeDispose(state);
      release(treeLeaves(params));
      return [y as typeof params, { z, base: next }];
    },
    evaluationParams: (state, params) =>
      zipLeaves(1, [params, state.z], (y, z) => [tf.div(tf.sub(y!, tf.mul(z!, 1 - beta)), beta)])[0] as typeof params,
    ...(base.hyperparams === undefined ? {} : { hyperparams: (step) => base.hyperparams!(step) }),
  };
}

/** Options of `scheduleFreeAdamw`. */
export interface ScheduleFreeAdamwOptions extends ScheduleFreeOptions, DecayOptions {
  /** Decay of the second moment. Default 0.999. */
  beta2?: number;
  /** Default 1e-8. */
  epsilon?: number;
  /** Decoupled weight decay at y. Default 0. */
  weightDecay?: number;
  /** Steps of linear warm-up. Default 0. */
  warmup?: number;
}

const withWarmup = (learningRate: number, steps: number): Rate =>
  steps === 0 ? learningRate : warmup(() => learningRate, { steps });

/** Schedule-free AdamW (arXiv 2405.15682): needs the memory of Adam and no schedule. */
export function scheduleFreeAdamw(
  learningRate: number = 2.5e-3,
  options: ScheduleFreeAdamwOptions = {},
): GradientTransformation<ScheduleFreeState> {
  const { weightDecay = 0, warmup: steps = 0 } = options;
  const rate = withWarmup(learningRate, steps);
  const base = chain(scaleByRms(options), addDecayedWeights(weightDecay, options), scaleByLearningRate(rate));
  return scheduleFree(base, rate, options);
}

/** Options of `scheduleFreeSgd`. */
export interface ScheduleFreeSgdOptions extends ScheduleFreeOptions, DecayOptions {
  /** Weight decay at y. Default 0. */
  weightDecay?: number;
  /** Steps of linear warm-up. Default 0. */
  warmup?: number;
}

/** Schedule-free SGD (arXiv 2405.15682). */
export function scheduleFreeSgd(
  learningRate: number = 1,
  options: ScheduleFreeSgdOptions = {},
): GradientTransformation<ScheduleFreeState> {
  const { weightDecay = 0, warmup: steps = 0 } = options;
  const rate = withWarmup(learningRate, steps);
  const base = chain(addDecayedWeights(weightDecay, options), scaleByLearningRate(rate));
  return scheduleFree(base, rate, options);
}
