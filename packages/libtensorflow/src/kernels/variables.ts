import type * as tf from '@tensorflow/tfjs-core';
import type { NodeBackend } from '../backend/native.ts';
import type { Handle, Ops, Plan } from '../backend/ops.ts';

/** A name that makes TensorFlow give each variable one of its own. */
const ANONYMOUS = 'cd2c89b7-88b7-44c8-ad83-06c2a9158347';

/**
 * Tensors whose data is a variable of TensorFlow's, which its optimizer operations change in place.
 *
 * The tensor holds a read of the variable, which shares its memory. The read goes before a change and is taken again
 * after it; were it or an alias left, TensorFlow would copy first, so nobody sees a tensor change.
 */
export class Variables {
  readonly #ops: Ops;
  /** Variables by the data that reads them. */
  readonly #handles = new WeakMap<object, Handle>();
  readonly #read: Plan;
  readonly #assign: (...inputs: Handle[]) => void;
  readonly #destroy: (...inputs: Handle[]) => void;
  readonly #makers: (shape: readonly number[]) => Plan;

  constructor(ops: Ops) {
    this.#ops = ops;
    const type = [ops.type('dtype', 'float32')];
    this.#read = ops.plan('ReadVariableOp', type);
    this.#assign = ops.action('AssignVariableOp', [...type, ops.bool('validate_shape', false)]);
    this.#destroy = ops.action('DestroyResourceOp', [ops.bool('ignore_lookup_error', true)]);
    const named = [ops.string('container', ''), ops.string('shared_name', ANONYMOUS), ...type];
    this.#makers = ops.plans(
      (shape) => shape.join(),
      (shape) => ops.plan('VarHandleOp', [...named, ops.shape('shape', shape)]),
    );
    this.#freeWith(ops.backend);
  }

  /** The variable goes with the data of its tensor. */
  #freeWith(backend: NodeBackend): void {
    const dispose = backend.disposeData;
    backend.disposeData = (dataId, force) => {
      const gone = dispose.call(backend, dataId, force);
      if (gone) this.#free(dataId);
      return gone;
    };
  }

  #free(dataId: object): void {
    const handle = this.#handles.get(dataId);
    if (handle === undefined) return;
    this.#handles.delete(dataId);
    this.#destroy(handle);
    this.#ops.delete(handle);
  }

  #make(shape: readonly number[], value: Handle): Handle {
    const { id } = this.#makers(shape)();
    this.#assign(id, value);
    return id;
  }

  /**
   * Lets `change` work on tensors as variables: in place where nobody else holds the data, else on copies.
   *
   * @param donated Float tensors; the caller disposes them.
   * @param others What `change` reads beside them.
   * @returns The changed tensors.
   */
  update(
    donated: readonly tf.TensorInfo[],
    others: readonly tf.TensorInfo[],
    change: (variables: readonly Handle[]) => void,
  ): tf.TensorInfo[] {
    const { backend } = this.#ops;
    const seen = new Map<object, number>();
    for (const { dataId } of [...donated, ...others]) seen.set(dataId, (seen.get(dataId) ?? 0) + 1);
    const results: tf.TensorInfo[] = [];
    const handles: Handle[] = [];
    const own: boolean[] = [];
    for (const tensor of donated) {
      const value = this.#ops.handle(tensor);
      const data = backend.tensorMap.get(tensor.dataId);
      const inPlace = data.refCount === 1 && seen.get(tensor.dataId) === 1;
      let handle = inPlace ? this.#handles.get(tensor.dataId) : undefined;
      handle ??= this.#make(tensor.shape, value);
      if (inPlace) {
        this.#handles.set(tensor.dataId, handle);
        this.#ops.delete(value);
      }
      handles.push(handle);
      own.push(inPlace);
    }
    try {
      change(handles);
    } finally {
      // Also after an error: the donated tensors have to hold something.
      for (const [i, tensor] of donated.entries()) {
        const read = this.#read(handles[i]!);
        if (own[i]) {
          backend.tensorMap.get(tensor.dataId).id = read.id;
          backend.incRef(tensor.dataId);
          results.push({ dataId: tensor.dataId, shape: tensor.shape, dtype: 'float32' });
        } else {
          const result = this.#ops.tensor(read);
          this.#handles.set(result.dataId, handles[i]!);
          results.push(result);
        }
      }
    }
    return results;
  }
}
