import * as tf from '@tensorflow/tfjs-core';
import type { Attribute, Binding, NodeBackend } from './native.ts';

/** Number of a handle of TensorFlow's. */
export type Handle = number;

/** What an operation returns: a handle that has to be deleted or made the data of a tensor. */
export interface Made {
  readonly id: Handle;
  readonly shape: number[];
}

/** An operation with its attributes. */
export type Plan = (...inputs: Handle[]) => Made;

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
  /** Rank and dimensions of the last output. */
  readonly #into = new Int32Array(16);
  readonly #scalars = new Map<number, Handle>();
  readonly #vectors = new Map<string, Handle>();

  constructor(backend: NodeBackend) {
    this.backend = backend;
    this.binding = backend.binding;
    this.float = [this.type('T', 'float32')];
  }

  dtype(name: 'float32' | 'int32' | 'bool'): number {
    const { TF_FLOAT, TF_INT32, TF_BOOL } = this.binding;
    return name === 'float32' ? TF_FLOAT : name === 'int32' ? TF_INT32 : TF_BOOL;
  }

  type(name: string, dtype: 'float32' | 'int32' | 'bool'): Attribute {
    return { name, type: this.binding.TF_ATTR_TYPE, value: this.dtype(dtype) };
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

  /** Keeps an operation's name and attributes; the result runs it. */
  plan(name: string, attributes: readonly Attribute[] = this.float): Plan {
    const { binding } = this;
    const [number, into] = [binding.frugalPlan!(name, attributes), this.#into];
    return (...inputs) => {
      const id = binding.frugalRun!(number, into, ...inputs);
      const rank = into[0]!;
      const shape = new Array<number>(rank);
      for (let i = 0; i < rank; i++) shape[i] = into[1 + i]!;
      return { id, shape };
    };
  }

  /** As `plan`, for an operation without output. */
  action(name: string, attributes: readonly Attribute[] = this.float): (...inputs: Handle[]) => void {
    const { binding } = this;
    const number = binding.frugalPlan!(name, attributes);
    return (...inputs) => void binding.frugalRun!(number, undefined, ...inputs);
  }

  /** A plan per key, made when it is first asked for. */
  plans<A extends unknown[]>(keyOf: (...args: A) => string, make: (...args: A) => Plan): (...args: A) => Plan {
    const known = new Map<string, Plan>();
    return (...args) => {
      const key = keyOf(...args);
      const plan = known.get(key) ?? make(...args);
      known.set(key, plan);
      return plan;
    };
  }

  /** Another handle of the same memory. */
  share(handle: Handle): Handle {
    return this.binding.frugalShare!(handle);
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
  tensor({ id, shape }: Made, dtype: 'float32' | 'int32' | 'bool' = 'float32'): tf.TensorInfo {
    const dataId = {};
    this.backend.tensorMap.set(dataId, { shape, dtype: this.dtype(dtype), id, values: null, refCount: 1 });
    return { dataId, shape, dtype };
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
  bind(ops: Ops, stock: KernelFunction): KernelFunction;
}

/** Whether all tensors are float32. */
export function allFloat(...tensors: readonly tf.TensorInfo[]): boolean {
  return tensors.every(({ dtype }) => dtype === 'float32');
}

/** The number of elements. */
export const sizeOf = ({ shape }: tf.TensorInfo): number => tf.util.sizeFromShape(shape);
