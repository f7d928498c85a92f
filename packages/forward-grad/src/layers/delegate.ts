import { FrugalError } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** A tensor with the name of its variable. */
export type Named = { name: string; tensor: tf.Tensor };

/** An optimizer of tfjs that finds gradients itself and hands them to another one, which it owns. */
export abstract class DelegatingOptimizer extends tf.Optimizer {
  protected readonly inner: tf.Optimizer;

  constructor(inner: tf.Optimizer) {
    super();
    this.inner = inner;
  }

  applyGradients(gradients: tf.NamedTensorMap | Named[]): void {
    this.inner.applyGradients(gradients as Named[]);
  }

  override async getWeights(): Promise<Named[]> {
    return (await this.inner.getWeights()) as Named[];
  }

  override async setWeights(weights: Named[]): Promise<void> {
    await this.inner.setWeights(weights);
  }

  getConfig(): never {
    throw new FrugalError(
      'NOT_SERIALIZABLE',
      'A forward optimizer is made of functions, and model.save cannot write them. Leave includeOptimizer out.',
    );
  }

  override dispose(): void {
    this.inner.dispose();
  }
}
