import { FrugalError, type StructuredTangent } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';

/** What a layer saw and how its output was moved: from it and a factor per row follows a gradient of the weight. */
export interface Activity {
  /** What the weight was multiplied with, [rows, n]: inputs, patches of an image, one-hot rows. */
  readonly x: tf.Tensor2D;
  /** The tangent of the product, [rows, m]. */
  readonly u: tf.Tensor2D;
}

/** Makes the tangent of an output of `rows` × `columns`. */
export type ActivityNoise = (rows: number, columns: number) => tf.Tensor;

/**
 * Stands for "the output of this weight's layer moves by u", u of its own for every row.
 *
 * It is passed to `jvp` as the tangent of the weight: where another tangent would be multiplied with the layer's input,
 * this one gives u and writes down what the input was. So any layer that multiplies by its weight, convolves with it or
 * looks rows up in it is perturbed at its output, without knowing about it.
 */
export class ActivityTangent implements StructuredTangent {
  readonly kind = 'activity';
  readonly shape: readonly number[];
  readonly #noise: ActivityNoise;
  readonly #seen: Activity[];
  readonly #name: string;

  constructor(name: string, shape: readonly number[], noise: ActivityNoise, seen: Activity[] = []) {
    this.#name = name;
    this.shape = shape;
    this.#noise = noise;
    this.#seen = seen;
  }

  /**
   * What was written down; it stays this tangent's.
   *
   * @throws {FrugalError} `UNSUPPORTED_LAYER` if the weight was not used, or more than once.
   */
  get activity(): Activity {
    const [only, ...more] = this.#seen;
    if (only !== undefined && more.length === 0) return only;
    throw new FrugalError(
      'UNSUPPORTED_LAYER',
      `'${this.#name}' was used ${this.#seen.length} times in a product; activity perturbation needs exactly one. ` +
        'Use weightPerturbation for this model.',
    );
  }

  /** Whether the weight took part in anything. */
  get used(): boolean {
    return this.#seen.length > 0;
  }

  /** Writes a product down; returns its tangent. */
  #record(x: tf.Tensor2D): tf.Tensor2D {
    const rows = x.shape[0];
    const columns = this.shape.at(-1)!;
    const u = tf.reshape(this.#noise(rows, columns), [rows, columns]) as tf.Tensor2D;
    this.#seen.push({ x: tf.keep(tf.clone(x)), u: tf.keep(tf.clone(u)) });
    return u;
  }

  reshape(shape: readonly number[]): StructuredTangent | undefined {
    if (shape.at(-1) !== this.shape.at(-1)) return undefined;
    return new ActivityTangent(this.#name, shape, this.#noise, this.#seen).#borrowed();
  }

  /** A view of another shape that frees nothing. */
  #borrowed(): this {
    this.dispose = () => undefined;
    return this;
  }

  product(x: tf.Tensor, transposed: boolean, into?: tf.Tensor): tf.Tensor {
    if (transposed) this.materialize();
    const u = this.#record(x as tf.Tensor2D);
    return into === undefined ? u : tf.add(into, u);
  }

  /** The patches under the filter come from a convolution with a one-hot filter, so forward kernels are enough. */
  asFilter(apply: (filter: tf.Tensor) => tf.Tensor): tf.Tensor {
    const window = this.shape.slice(0, -1);
    const size = window.reduce((product, n) => product * n, 1);
    return tf.tidy(() => {
      const patches = apply(tf.reshape(tf.eye(size), [...window, size]));
      const u = this.#record(tf.reshape(patches, [-1, size]) as tf.Tensor2D);
      return tf.reshape(u, [...patches.shape.slice(0, -1), this.shape.at(-1)!]);
    });
  }

  rows(indices: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const flat = tf.reshape(indices, [-1]) as tf.Tensor1D;
      // In float32 tf.oneHot is wrong on stock wasm.
      const x = tf.cast(tf.oneHot(tf.cast(flat, 'int32'), this.shape[0]!), 'float32');
      return tf.reshape(this.#record(x as tf.Tensor2D), [...indices.shape, this.shape.at(-1)!]);
    });
  }

  materialize(): never {
    throw new FrugalError(
      'UNSUPPORTED_LAYER',
      `'${this.#name}' is used otherwise than in a product, a convolution or a look-up of rows, so its layer has no output ` +
        'to perturb. Use weightPerturbation for this model.',
    );
  }

  dispose(): void {
    for (const { x, u } of this.#seen.splice(0)) tf.dispose([x, u]);
  }
}
