import {
  type Context,
  type Estimate,
  FrugalError,
  type GradientEstimator,
  type LossFunction,
  type Staged,
  type Tree,
  treeLeaves,
  treeUnflatten,
  vjp,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** Options of `checkpointedBackprop`. */
export interface CheckpointedBackpropOptions<B> {
  /** Stages that are recomputed together. Default ⌈√(number of stages)⌉, which needs the least memory. */
  every?: number;
  /** The model's input in a batch. Default `batch.x`. */
  input?: (batch: B) => tf.Tensor;
}

/** What `train` takes. */
export interface CheckpointedBackprop<P extends Tree, B> {
  readonly loss: LossFunction<P, B>;
  /** Takes this `loss` and no other. */
  readonly estimator: GradientEstimator;
}

/**
 * Backprop that keeps the activations of some stages only and computes the others again on its way back: exact gradients
 * for about √L activations and one more forward pass. What forward gradients have to be compared with where memory is the reason.
 *
 * @param model Random numbers in it come from the key of the step, so that both passes draw the same.
 * @param criterion The loss per example, [B], of the model's output and the batch.
 * @throws {FrugalError} `BAD_OPTION`; when called `WRONG_LOSS`, or what `vjp` throws.
 * arXiv 1604.06174, 2506.21833
 */
export function checkpointedBackprop<P extends Tree, B = { x: tf.Tensor; y: tf.Tensor }>(
  model: Staged<P>,
  criterion: (output: tf.Tensor, batch: B) => tf.Tensor1D,
  options: CheckpointedBackpropOptions<B> = {},
): CheckpointedBackprop<P, B> {
  const { stages } = model;
  const { every = Math.ceil(Math.sqrt(stages.length)), input = (batch) => (batch as { x: tf.Tensor }).x } = options;
  if (!Number.isSafeInteger(every) || every < 1) {
    throw new FrugalError('BAD_OPTION', `every must be an integer of at least 1, got ${every}.`);
  }
  const loss: LossFunction<P, B> = (params, batch, ctx) => criterion(model.apply(params, input(batch), ctx), batch);

  /** Stages from … to − 1, and after the last one the loss. */
  function segment(from: number, batch: B, ctx: Context) {
    const to = Math.min(from + every, stages.length);
    return (params: P, h: tf.Tensor): tf.Tensor =>
      tf.tidy(() => {
        const out = stages.slice(from, to).reduce((x, stage) => stage.apply(params, x, ctx), h);
        return to < stages.length ? out : tf.mean(criterion(out, batch));
      });
  }

  function estimate(params: P, batch: B, ctx: Context): Estimate {
    const starts = Array.from({ length: Math.ceil(stages.length / every) }, (_, i) => i * every);
    const inputs: tf.Tensor[] = [input(batch)];
    for (const from of starts.slice(0, -1)) inputs.push(segment(from, batch, ctx)(params, inputs.at(-1)!));
    const leaves = treeLeaves(params) as tf.Tensor[];
    const gradients = new Map<tf.Tensor, tf.Tensor>();
    let value: tf.Tensor | undefined;
    let cotangent: tf.Tensor = tf.scalar(1);
    for (const from of starts.toReversed()) {
      const used = stages.slice(from, from + every).flatMap((stage) => treeLeaves(stage.params(params)) as tf.Tensor[]);
      const own = [...new Set(used)];
      const run = (weights: Tree, h: tf.Tensor): tf.Tensor => {
        const given = treeLeaves(weights) as tf.Tensor[];
        const all = leaves.map((leaf) => given[own.indexOf(leaf)] ?? leaf);
        return segment(from, batch, ctx)(treeUnflatten(params, all), h);
      };
      const h = inputs.pop()!;
      // The gradient of the data is nobody's business.
      const at = from === 0 ? [own] : [own, h];
      const [out, pullback] = vjp(
        (...primals: Tree[]) => run(primals[0]!, (primals[1] as tf.Tensor) ?? h),
        at as Tree[],
      );
      const [moved, before] = pullback(cotangent) as unknown as [tf.Tensor[], tf.Tensor | undefined];
      pullback.dispose();
      value ??= out as tf.Tensor;
      if (value !== out) tf.dispose(out as tf.Tensor);
      for (const [i, leaf] of own.entries()) {
        const sum = gradients.get(leaf);
        gradients.set(leaf, sum === undefined ? moved[i]! : tf.add(sum, moved[i]!));
      }
      cotangent.dispose();
      if (from > 0) h.dispose();
      if (before !== undefined) cotangent = before;
    }
    const grads = leaves.map((leaf) => gradients.get(leaf) ?? tf.zeros(leaf.shape));
    return { loss: value as tf.Scalar, grads: treeUnflatten(params as Tree, grads) };
  }

  const estimator = ((given, params, batch, key, ctx = { train: true }) => {
    if ((given as unknown) !== loss) {
      throw new FrugalError(
        'WRONG_LOSS',
        'checkpointedBackprop: its estimator takes the loss that came with it, { loss, estimator }, and no other.',
      );
    }
    const run = (): Estimate => estimate(params as unknown as P, batch as unknown as B, { ...ctx, key });
    return tf.tidy(run as unknown as () => tf.TensorContainer) as unknown as Estimate;
  }) as GradientEstimator;
  return { loss, estimator };
}
