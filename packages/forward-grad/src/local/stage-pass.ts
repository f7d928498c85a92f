import { type Context, FrugalError, jvp, type Stage, type Tree, treeLeaves, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Activity, type ActivityNoise, ActivityTangent } from '../activity/activity-tangent.ts';
import { singleLayer } from '../activity/layers.ts';
import type { GradientLeaf } from '../noise/noise.ts';
import { weightGradient } from '../noise/rank-one-gradient.ts';

/** A gradient for each leaf of the model that a stage trains. */
export type LeafGradients = Map<tf.Tensor, GradientLeaf>;

/** One stage run once, its pre-activation moved by a tangent u. */
export class StagePass {
  /** The stage's output. */
  readonly h: tf.Tensor;
  /** Its tangent, [B, units]: u times the slope of what comes after the product. */
  readonly dh: tf.Tensor2D;
  readonly #weight: tf.Tensor;
  readonly #bias: tf.Tensor | undefined;
  readonly #tangent: ActivityTangent;

  /** Call it in a tidy: `h` and `dh` belong to that. */
  constructor(stage: Stage, params: Tree, input: tf.Tensor, ctx: Context, noise: ActivityNoise) {
    const { weight, bias } = singleLayer(stage.name, stage.params(params));
    this.#weight = weight;
    this.#bias = bias;
    this.#tangent = new ActivityTangent(`${stage.name}'s weight`, weight.shape, noise);
    const leaves = treeLeaves(params) as tf.Tensor[];
    const at = leaves.indexOf(weight);
    try {
      const run = (w: tf.Tensor): tf.Tensor => stage.apply(treeUnflatten(params, leaves.with(at, w)), input, ctx);
      const [h, dh] = jvp(run, [weight], [this.#tangent]);
      this.h = h;
      this.dh = tf.reshape(dh, [h.shape[0]!, -1]) as tf.Tensor2D;
      const { u } = this.activity;
      if (u.size === h.size) return;
      throw new FrugalError(
        'UNSUPPORTED_LAYER',
        `Stage '${stage.name}' turns ${u.size} numbers before its activation into ${h.size}; local learning needs stages ` +
          'that end with an element-wise activation. Put pooling into a convolution’s stride.',
      );
    } catch (error) {
      this.#tangent.dispose();
      throw error;
    }
  }

  get activity(): Activity {
    return this.#tangent.activity;
  }

  /** u, [B, units]. */
  get u(): tf.Tensor2D {
    return tf.reshape(this.activity.u, this.dh.shape);
  }

  /** The output, [B, units]. */
  get flat(): tf.Tensor2D {
    return tf.reshape(this.h, this.dh.shape);
  }

  /** Writes down the gradients that follow from `g` [B, units], each example's share of ∂(mean loss)/∂pre-activation. */
  addGradients(g: tf.Tensor2D, gradients: LeafGradients): void {
    const { x, u } = this.activity;
    const rows = tf.reshape(g, u.shape) as tf.Tensor2D;
    gradients.set(this.#weight, weightGradient(x, rows, this.#weight.shape));
    if (this.#bias !== undefined) gradients.set(this.#bias, tf.sum(rows, 0));
  }

  dispose(): void {
    this.#tangent.dispose();
  }
}
