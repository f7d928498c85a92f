import * as tf from '@tensorflow/tfjs-core';
import type { Attribute, Binding, NodeBackend, Output } from './native.ts';

/** Number of a handle of TensorFlow's. */
export type Handle = number;

/**
 * TensorFlow's operations on handles, past tfjs's tensors: no scope, no tape, no objects that live on.
 *
 * What an operation returns is a handle that has to be deleted or made the data of a tensor.
 */
export class Ops {
  readonly backend: NodeBackend;
  readonly binding: Binding;
  /** `T: float32`, which most operations take. */
  readonly float: readonly Attribute[];
  readonly #scalars = new Map<number, Handle>();
  readonly #vectors = new Map<string, Handle>();

  constructor(backend: NodeBackend) {
    this.backend = backend;
    this.binding = backend.binding;
    this.float = [this.type('T', 'float32')];
  }

  type(name: string, dtype: 'float32' | 'int32' | 'bool'): Attribute {
    const { binding } = this;
    // 10 is TF_BOOL, which the binding does not name in its types.
    const value = dtype === 'float32' ? binding.TF_FLOAT : dtype === 'int32' ? binding.TF_INT32 : 10;
    return { name, type: binding.TF_ATTR_TYPE, value };
  }

  bool(name: string, value: boolean): Attribute {
    return { name, type: this.binding.TF_ATTR_BOOL, value };
  }

  string(name: string, value: string): Attribute {
    return { name, type: this.binding.TF_ATTR_STRING, value };
  }

  ints(name: string, value: readonly number[]): Attribute {
    return { name, type: this.binding.TF_ATTR_INT, value };
  }

  shape(name: string, value: readonly number[]): Attribute {
    return { name, type: this.binding.TF_ATTR_SHAPE, value };
  }

  /** Runs an operation with one output. */
  one(name: string, attributes: readonly Attribute[], inputs: readonly Handle[]): Output {
    return this.binding.executeOp(name, attributes, inputs, 1)[0]!;
  }

  /** Runs an operation without output. */
  none(name: string, attributes: readonly Attribute[], inputs: readonly Handle[]): void {
    this.binding.executeOp(name, attributes, inputs, 0);
  }

  delete(handle: Handle): void {
    this.binding.deleteTensor(handle);
  }

  /** The handle of a tensor; values that wait in JavaScript are handed over first. It stays the tensor's. */
  handle({ dataId }: tf.TensorInfo): Handle {
    const data = this.backend.tensorMap.get(dataId);
    if (data.values !== null) {
      data.id = this.binding.createTensor(data.shape, data.dtype, data.values);
      data.values = null;
    }
    return data.id;
  }

  /** Makes an output the data of a new tensor. */
  tensor({ id, shape, dtype }: Output, as: tf.DataType = 'float32'): tf.TensorInfo {
    const dataId = {};
    this.backend.tensorMap.set(dataId, { shape, dtype, id, values: null, refCount: 1 });
    return { dataId, shape, dtype: as };
  }

  /** Runs an operation of float tensors with one output. */
  compute(name: string, attributes: readonly Attribute[], inputs: readonly tf.TensorInfo[]): tf.TensorInfo {
    return this.tensor(
      this.one(
        name,
        attributes,
        inputs.map((input) => this.handle(input)),
      ),
    );
  }

  /** A float32 constant; kept, as programs use few of them. */
  scalar(value: number): Handle {
    return remember(this.#scalars, value, this, () =>
      this.binding.createTensor([], this.binding.TF_FLOAT, Float32Array.of(value)),
    );
  }

  /** An int32 vector, such as a shape or axes; kept, as programs use few of them. */
  vector(values: readonly number[]): Handle {
    return remember(this.#vectors, values.join(), this, () =>
      this.binding.createTensor([values.length], this.binding.TF_INT32, Int32Array.from(values)),
    );
  }
}

/** Constants that are kept at a time: schedules give a new rate at every step. */
const MOST_CONSTANTS = 512;

/** The constant of `key`; the one that was not used for longest goes when there are too many. */
function remember<K>(known: Map<K, Handle>, key: K, ops: Ops, make: () => Handle): Handle {
  let handle = known.get(key);
  if (handle !== undefined) {
    known.delete(key);
  } else {
    handle = make();
    if (known.size >= MOST_CONSTANTS) {
      const [oldest, unused] = known.entries().next().value!;
      known.delete(oldest);
      ops.delete(unused);
    }
  }
  known.set(key, handle);
  return handle;
}

/** What a kernel function is called with. */
export interface KernelCall {
  readonly inputs: tf.NamedTensorInfoMap;
  readonly attrs: tf.NamedAttrMap;
  readonly backend: unknown;
}

export type KernelFunction = (call: KernelCall) => tf.TensorInfo | tf.TensorInfo[];

/** A kernel of ours: bound to a backend, and to the stock kernel that it falls back to. */
export interface Registration {
  readonly name: string;
  readonly bind: (ops: Ops, stock: KernelFunction) => KernelFunction;
}

/** Whether all tensors are float32. */
export function allFloat(...tensors: readonly tf.TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}

/** The number of elements. */
export const sizeOf = ({ shape }: tf.TensorInfo): number => tf.util.sizeFromShape(shape);
