import type * as tf from '@tensorflow/tfjs-core';

/** An attribute of a TensorFlow operation. */
export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly value: boolean | number | string | readonly number[];
}

/** What tfjs's binding tells of an output. */
export interface Output {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

/** The compiled binding: tfjs's, and what we add to it. */
export interface Binding {
  createTensor(shape: readonly number[], dtype: number, values: ArrayBufferView): number;
  deleteTensor(id: number): void;
  executeOp(name: string, attributes: readonly Attribute[], inputs: readonly number[], outputs: number): Output[];
  getNumOfTensors(): number;
  isUsingGpuDevice(): boolean;
  /** Ours (native/): absent from a binding that this version of the package did not compile. */
  frugalRandom?(kind: number, hi: number, lo: number, offset: number, out: ArrayBufferView): void;
  frugalPlan?(name: string, attributes: readonly Attribute[]): number;
  frugalRun?(plan: number, into: Int32Array | undefined, ...inputs: number[]): number;
  frugalShare?(id: number): number;
  readonly TF_Version: string;
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_BOOL: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_ATTR_SHAPE: number;
}

/** What tfjs-node's backend keeps of a tensor: values that were not handed over yet, or the number of a handle. */
export interface TensorData {
  shape: number[];
  dtype: number;
  values: ArrayBufferView | null;
  id: number;
  refCount: number;
}

/** tfjs-node's backend. */
export interface NodeBackend {
  readonly binding: Binding;
  readonly isUsingGpuDevice: boolean;
  readonly tensorMap: {
    get(id: object): TensorData;
    set(id: object, data: TensorData): void;
    has(id: object): boolean;
  };
  write(values: ArrayBufferView, shape: readonly number[], dtype: tf.DataType): object;
  disposeData(id: object, force?: boolean): boolean;
  incRef(id: object): void;
}
