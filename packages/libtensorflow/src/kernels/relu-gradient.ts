import * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend, TensorData } from '../backend/native.ts';
import type { Handle, Ops } from '../backend/ops.ts';

/**
 * The data of step(x), computed when somebody looks at it.
 *
 * tfjs's gradient of ReLU is dy · step(x), and stock kernels take nine operations for it. Mostly nobody looks: the
 * product is made from x itself (`ReluGrad`).
 */
class PendingStep implements TensorData {
  readonly shape: number[];
  readonly dtype: number;
  readonly values = null;
  refCount = 1;
  #source: Handle | undefined;
  #id: Handle = -1;
  readonly #ops: Ops;
  readonly #compute: (source: Handle) => Handle;

  constructor(ops: Ops, shape: number[], source: Handle, compute: (source: Handle) => Handle) {
    this.#ops = ops;
    this.shape = shape;
    this.dtype = ops.dtype('float32');
    this.#source = source;
    this.#compute = compute;
  }

  /** x, as long as the step was not computed. */
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

const prepared = new WeakSet<NodeBackend>();

/** When such data goes, it must not be computed. */
function prepare(backend: NodeBackend): void {
  if (prepared.has(backend)) return;
  prepared.add(backend);
  const dispose = backend.disposeData;
  backend.disposeData = (dataId, force) => {
    const data = backend.tensorMap.has(dataId) ? backend.tensorMap.get(dataId) : undefined;
    if (data instanceof PendingStep && (force === true || data.refCount <= 1)) data.forget();
    return dispose.call(backend, dataId, force);
  };
}

/** A tensor that is step(x); `compute` makes it if it is needed. */
export function pendingStep(ops: Ops, x: tf.TensorInfo, compute: (source: Handle) => Handle): tf.TensorInfo {
  const { backend } = ops;
  prepare(backend);
  const dataId = {};
  backend.tensorMap.set(dataId, new PendingStep(ops, x.shape, ops.share(ops.handle(x)), compute));
  return { dataId, shape: x.shape, dtype: 'float32' };
}

/** x where `tensor` is a step(x) that nobody has looked at, of the shape of `other`. */
export function stepOf(ops: Ops, tensor: tf.TensorInfo, other: tf.TensorInfo): Handle | undefined {
  const data = ops.backend.tensorMap.get(tensor.dataId);
  if (!(data instanceof PendingStep) || !tf.util.arraysEqual(tensor.shape, other.shape)) return undefined;
  return data.source;
}
