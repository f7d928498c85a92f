import {
  foldIn,
  gelu,
  isTensor,
  type Labelled,
  type Lesson,
  type LossFunction,
  layerwiseLoss,
  lessonOf,
  type Module,
  randomNormal,
  stopGradient,
  type Tree,
  treeAt,
  treeClone,
  treeGraft,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { FeedForward } from './split.ts';

/** Hidden units at which two layers cost what one linear map costs; a multiple of `experts`. */
export function projectionUnits(from: number, to: number, experts = 1): number {
  return Math.max(1, Math.round((from * to) / (from + to) / experts)) * experts;
}

/** Options of `networkBlock`. */
export interface NetworkBlockOptions {
  /** That the network will be cut into: divides its hidden units. Default 12. */
  experts?: number;
  /** Default `'relu'`. */
  activation?: 'relu' | 'gelu';
}

interface ProjectionLesson extends Lesson {
  readonly what: 'projection';
  readonly trained: Tree;
}

const affine = (x: tf.Tensor, { weight, bias }: FeedForward['fc1']): tf.Tensor =>
  tf.add(tf.matMul(x as tf.Tensor2D, weight), bias);

/** Two layers with an activation between them, as the tree `{ fc1, fc2 }`; taps see `act`. */
function network(from: number, to: number, units: number, activation: 'relu' | 'gelu'): Module<FeedForward> {
  return {
    init: (key) =>
      tf.tidy(() => ({
        fc1: {
          weight: randomNormal(foldIn(key, 0), [from, units], { sd: Math.sqrt(2 / from) }) as tf.Tensor2D,
          bias: tf.zeros([units]) as tf.Tensor1D,
        },
        fc2: {
          weight: randomNormal(foldIn(key, 1), [units, to], { sd: Math.sqrt(1 / units) }) as tf.Tensor2D,
          bias: tf.zeros([to]) as tf.Tensor1D,
        },
      })),
    apply: ({ fc1, fc2 }, x, ctx) =>
      tf.tidy(() => {
        const rows = tf.reshape(x, [x.size / from, from]);
        const compute = (input: tf.Tensor): tf.Tensor => {
          const before = affine(input, fc1);
          const hidden = activation === 'relu' ? tf.relu(before) : gelu(before);
          ctx?.taps?.set(ctx.path ? `${ctx.path}.act` : 'act', hidden);
          return affine(hidden, fc2);
        };
        const shaped = (y: tf.Tensor): tf.Tensor => tf.reshape(y, [...x.shape.slice(0, -1), to]);
        const taught = lessonOf(ctx);
        if (taught?.lesson.what !== 'projection') return shaped(compute(rows));
        const original = treeAt((taught.lesson as ProjectionLesson).trained, ctx?.path ?? '') as FeedForward['fc1'];
        const seen = stopGradient(rows);
        const target = affine(seen, original);
        taught.report(tf.mean(tf.squaredDifference(compute(seen), target), 1));
        return shaped(target);
      }),
  };
}

/**
 * Two-layer networks in place of the projections of attention, at equal cost, so that they can be cut into experts (D2DMoE, arXiv
 * 2310.04361): options for a block of `vit` or `gpt` of `@frugal/nn`. Everything else stays dense.
 */
export function networkBlock({ experts = 12, activation = 'relu' }: NetworkBlockOptions = {}): {
  readonly attention: { readonly linear: (inFeatures: number, outFeatures: number, name: string) => Module<never> };
} {
  const linear = (from: number, to: number): Module<never> =>
    network(from, to, projectionUnits(from, to, experts), activation) as unknown as Module<never>;
  return { attention: { linear } };
}

/**
 * Parameters for a model with such networks out of the trained dense ones: networks stay fresh, everything else is copied.
 *
 * @param fresh Of the model with networks, by its `init`; stays the caller's.
 * @returns New tensors.
 * @throws {FrugalError} `BAD_TREE` where the two do not fit, by path.
 */
export function networkParams<P extends Tree>(fresh: P, trained: Tree): P {
  return treeGraft(fresh, trained, (mine, theirs) =>
    !isTensor(mine) && 'fc1' in mine && !isTensor(theirs) && 'weight' in theirs ? treeClone(mine) : undefined,
  );
}

/**
 * Teaches each network what the projection computes that it stands for, by squared error on the tokens of the trained network; only the
 * networks get a gradient.
 *
 * @param model With `networkBlock`, parameters by `networkParams`.
 * @param trained Parameters of the dense network.
 * @returns A loss [B] for any trainer; labels are not used.
 */
export function projectionLoss<P extends Tree>(model: Module<P>, trained: Tree): LossFunction<P, Labelled> {
  const lesson: ProjectionLesson = { what: 'projection', trained };
  return layerwiseLoss(model, lesson);
}
