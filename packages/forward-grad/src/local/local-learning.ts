import {
  type Context,
  type Estimate,
  FrugalError,
  foldIn,
  type GradientEstimator,
  jvp,
  type Key,
  type LossFunction,
  type Module,
  randomSigns,
  type Staged,
  type Tree,
  treeLeaves,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { GradientLeaf } from '../noise/noise.ts';
import { outer } from '../noise/outer.ts';
import { checkStages, initHeads, type LocalParams, outputWeight } from './heads.ts';
import { crossEntropyLoss, type OutputLoss } from './output-loss.ts';
import { exactSignal, greedySignal, type Head, unitRows } from './signal.ts';
import { type LeafGradients, StagePass } from './stage-pass.ts';

/**
 * How hidden stages learn.
 *
 * - `'greedy'`: each from its own head, by random perturbation of its activities, one scalar per group of units (LG-FG-A).
 * - `'exact'`: each from its own head, exactly; what `'greedy'` gives with groups of one unit.
 * - `'guided'`: along the local gradient as a guess, by the derivative of the *global* loss in that direction.
 * - `'frozen'`: not at all; only the output stage learns. The control that every result should be compared with.
 */
export type LocalMethod = 'greedy' | 'exact' | 'guided' | 'frozen';

/** Options of `localLearning`. */
export interface LocalLearningOptions<B> {
  /** Shape of one example, e.g. `[784]` or `[28, 28, 1]`. */
  inputShape: readonly number[];
  /** Default `'greedy'`. */
  method?: LocalMethod;
  /** Units that share a scalar, for `'greedy'`. Fewer: less noise, at no cost; 1 is exact local learning. Default 8. */
  groupSize?: number;
  /** Default `crossEntropyLoss`. */
  loss?: OutputLoss;
  /** The model's input in a batch. Default `batch.x`. */
  input?: (batch: B) => tf.Tensor;
  /** The targets in a batch. Default `batch.y`. */
  targets?: (batch: B) => tf.Tensor;
}

/** A model that learns without a backward pass through it: what `train` takes. */
export interface LocalLearning<P extends Tree, B> {
  /** The model with its heads; `apply` is the model's own. */
  readonly model: Module<LocalParams<P>>;
  /** The loss at the model's output. */
  readonly loss: LossFunction<LocalParams<P>, B>;
  /** Estimates the gradients of all stages and heads. Takes this `loss` and no other. */
  readonly estimator: GradientEstimator;
}

const METHODS: readonly LocalMethod[] = ['greedy', 'exact', 'guided', 'frozen'];
const NOISE = 0x6c6f6361;
const HEADS = 0x68656164;

/**
 * Trains a staged model by local losses: no error passes from a stage to the one before it, and no tape is recorded.
 *
 * Every hidden stage has a linear head and learns to lower the loss of that; the output stage and the heads have exact
 * gradients in closed form. Needs forward kernels only. On MNIST this is the forward-only method that works.
 *
 * @param model Stages of one weight (dense, convolution, embedding) and an element-wise activation each; the last one dense.
 * @returns `{ model, loss, estimator }`. Same key, same gradients.
 * @throws {FrugalError} `BAD_OPTION`, `UNSUPPORTED_MODEL`; when called `UNSUPPORTED_LAYER` naming the stage, `WRONG_LOSS`.
 * arXiv 2210.03310 (greedy), 2306.06968 (guided)
 */
export function localLearning<P extends Tree, B = { x: tf.Tensor; y: tf.Tensor }>(
  model: Staged<P>,
  options: LocalLearningOptions<B>,
): LocalLearning<P, B> {
  const { inputShape, method = 'greedy', groupSize = 8, loss: output = crossEntropyLoss } = options;
  const { input = (batch) => (batch as { x: tf.Tensor }).x, targets = (batch) => (batch as { y: tf.Tensor }).y } =
    options;
  if (!METHODS.includes(method)) {
    throw new FrugalError('BAD_OPTION', `method must be one of ${METHODS.join(', ')}, got '${String(method)}'.`);
  }
  if (!Number.isSafeInteger(groupSize) || groupSize < 1) {
    throw new FrugalError('BAD_OPTION', `groupSize must be an integer of at least 1, got ${groupSize}.`);
  }
  checkStages(model as unknown as Staged);

  const loss: LossFunction<LocalParams<P>, B> = (params, batch, ctx) =>
    output.value(model.apply(params.model, input(batch), ctx) as tf.Tensor2D, targets(batch));

  function step(params: LocalParams<P>, batch: B, key: Key, ctx: Context): Estimate {
    const { stages } = model;
    const last = stages.length - 1;
    const gradients: LeafGradients = new Map();
    const passes: StagePass[] = [];
    const y = targets(batch);
    const noise = foldIn(key, NOISE);
    const share = 1 / y.shape[0]!;
    const slope = (outputs: tf.Tensor): tf.Tensor2D =>
      tf.mul(output.slope(outputs as tf.Tensor2D, y), share) as tf.Tensor2D;
    const ones = (rows: number, columns: number): tf.Tensor => tf.fill([rows, columns], 1);
    const run = (i: number, x: tf.Tensor): StagePass => {
      const signs = (rows: number, columns: number): tf.Tensor => randomSigns(foldIn(noise, i), [rows, columns]);
      const u = method === 'greedy' && i < last ? signs : ones;
      const pass = new StagePass(stages[i]! as never, params.model, x, ctx, u);
      passes.push(pass);
      return pass;
    };
    /** The loss of each example as a function of a hidden stage's output. */
    const rest = (i: number) => (h: tf.Tensor) => {
      const out = stages.slice(i + 1).reduce((x, stage) => stage.apply(params.model, x, ctx), h);
      return output.value(out as tf.Tensor2D, y);
    };
    const learn = (pass: StagePass, i: number, head: tf.Tensor2D, e: tf.Tensor2D): void => {
      if (method === 'greedy') {
        pass.addGradients(greedySignal(pass, head, e, groupSize), gradients);
        return;
      }
      const local = exactSignal(pass, head, e);
      if (method === 'exact') {
        pass.addGradients(local, gradients);
        return;
      }
      const guess = unitRows(local);
      const along = tf.reshape(tf.mul(guess, pass.dh), pass.h.shape);
      const [, s] = jvp(rest(i), [pass.h], [along]);
      pass.addGradients(tf.mul(guess, tf.mul(tf.reshape(s, [-1, 1]), share)) as tf.Tensor2D, gradients);
    };
    try {
      let h = input(batch);
      const hidden: StagePass[] = [];
      for (let i = 0; i < last; i++) {
        if (method === 'frozen') {
          h = stages[i]!.apply(params.model, h, ctx);
          continue;
        }
        const pass = run(i, h);
        h = pass.h;
        hidden.push(pass);
        if (i === last - 1) break; // its head is the output stage
        const head = params.heads[i]!;
        const e = slope(tf.add(tf.matMul(pass.flat, head.weight), head.bias));
        learn(pass, i, head.weight, e);
        addHeadGradients(head, pass.flat, e, gradients);
      }
      const out = run(last, h);
      const e = slope(out.h);
      const top = hidden[last - 1];
      if (top !== undefined) learn(top, last - 1, outputWeight(model, params.model), e);
      out.addGradients(e, gradients);
      const value = tf.mean(output.value(out.h as tf.Tensor2D, y)) as tf.Scalar;
      const leaves = (treeLeaves(params as Tree) as tf.Tensor[]).map(
        (leaf) => gradients.get(leaf) ?? tf.zeros(leaf.shape),
      );
      return { loss: value, grads: treeUnflatten<UpdateTree, GradientLeaf>(params as Tree, leaves) };
    } finally {
      for (const pass of passes) pass.dispose();
    }
  }

  const estimator = ((given, params, batch, key, ctx = { train: true }) => {
    if ((given as unknown) !== loss) {
      throw new FrugalError(
        'WRONG_LOSS',
        'localLearning: its estimator takes the loss that came with it, { loss, estimator }, and no other.',
      );
    }
    const run = (): Estimate => step(params as unknown as LocalParams<P>, batch as unknown as B, key, { ...ctx, key });
    return tf.tidy(run as unknown as () => tf.TensorContainer) as unknown as Estimate;
  }) as GradientEstimator;

  return {
    model: {
      init(key) {
        const params = model.init(key);
        return { model: params, heads: initHeads(model, params, inputShape, foldIn(key, HEADS)) };
      },
      apply: (params, x, ctx) => model.apply(params.model, x, ctx),
    },
    loss,
    estimator,
  };
}

function addHeadGradients(head: Head, h: tf.Tensor2D, e: tf.Tensor2D, gradients: LeafGradients): void {
  gradients.set(head.weight, outer(h, e));
  gradients.set(head.bias, tf.sum(e, 0));
}
