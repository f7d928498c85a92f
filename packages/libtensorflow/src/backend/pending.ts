import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend, TensorData } from './native.ts';
import type { Handle, Ops } from './ops.ts';

/** What a tensor is that was not computed. */
type Kind = 'step' | 'reshape';

/**
 * The data of a tensor that is computed when somebody looks at it: step(x), or x in another shape.
 *
 * Mostly nobody looks. tfjs's gradient of ReLU is dy · step(x), where stock kernels take nine operations: the product is
 * made from x itself. And fused products are reshaped to three dimensions and back.
 */
class Pending implements TensorData {
  readonly kind: Kind;
  readonly shape: number[];
  readonly sourceShape: number[];
  readonly dtype: number;
  readonly values = null;
  refCount = 1;
  #source: Handle | undefined;
  #id: Handle = -1;
  readonly #ops: Ops;
  readonly #compute: (source: Handle) => Handle;

  constructor(ops: Ops, kind: Kind, from: Source, shape: number[], dtype: number, compute: (source: Handle) => Handle) {
    this.#ops = ops;
    this.kind = kind;
    this.shape = shape;
    this.sourceShape = from.shape;
    this.dtype = dtype;
    this.#source = from.id;
    this.#compute = compute;
  }

  /** x, as long as it was not computed. */
  get source(): Handle | undefined {
    return this.#source;
  }

  get id(): Handle {
    if (this.#source !== undefined) {
      this.#id = this.#compute(this.#source);
      this.forget();
    }
    return this.#id;
  }

  set id(handle: Handle) {
    this.#id = handle;
  }

  /** Frees x. */
  forget(): void {
    if (this.#source !== undefined) this.#ops.delete(this.#source);
    this.#source = undefined;
  }
}

/** A handle and its shape. */
interface Source {
  readonly id: Handle;
  readonly shape: number[];
}

const prepared = new WeakSet<NodeBackend>();

/** When such data goes, it must not be computed. */
function prepare(backend: NodeBackend): void {
  if (prepared.has(backend)) return;
  prepared.add(backend);
  const dispose = backend.disposeData;
  backend.disposeData = (dataId, force) => {
    const data = backend.tensorMap.has(dataId) ? backend.tensorMap.get(dataId) : undefined;
    if (data instanceof Pending && (force === true || data.refCount <= 1)) data.forget();
    return dispose.call(backend, dataId, force);
  };
}

/**
 * A tensor that `compute` makes from `source` when it is needed.
 *
 * @param source Taken over: freed when it is no longer needed.
 */
export function pending(
  ops: Ops,
  kind: Kind,
  source: Source,
  { shape, dtype }: Pick<tf.TensorInfo, 'shape' | 'dtype'>,
  compute: (source: Handle) => Handle,
): tf.TensorInfo {
  prepare(ops.backend);
  const dataId = {};
  const type = ops.dtype(dtype as 'float32');
  ops.backend.tensorMap.set(dataId, new Pending(ops, kind, source, shape, type, compute));
  return { dataId, shape, dtype };
}

/** What a tensor is made from, if it is of this kind and nobody has looked at it. It stays the tensor's. */
export function sourceOf(ops: Ops, kind: Kind, { dataId }: tf.TensorInfo): Source | undefined {
  const data = ops.backend.tensorMap.get(dataId);
  if (!(data instanceof Pending) || data.kind !== kind || data.source === undefined) return undefined;
  return { id: data.source, shape: data.sourceShape };
}

/** A tensor before it was reshaped, where that is a matrix of the same rows and columns; else the tensor itself. */
export function asMatrix(ops: Ops, tensor: tf.TensorInfo): Source {
  const source = sourceOf(ops, 'reshape', tensor);
  const matrix = source?.shape.length === 2 && tf.util.arraysEqual(source.shape, tensor.shape.slice(-2));
  return matrix ? source : { id: ops.handle(tensor), shape: tensor.shape };
}
