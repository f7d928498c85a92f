import * as tf from '@tensorflow/tfjs-core';
import type { StructuredTangent } from '../structured/index.ts';

/** A directional derivative at one tensor. */
export type Tangent = tf.Tensor | StructuredTangent;

/** Whether tensors of this type have derivatives. */
export function isDifferentiable(dtype: tf.DataType): boolean {
  return dtype === 'float32' || dtype === 'complex64';
}

/** A tangent and how many tensors have it: clones and reshaped seeds share one. */
interface Held {
  readonly tangent: Tangent;
  /** Whether it is ours to free. */
  readonly owned: boolean;
  users: number;
}

/**
 * The tangents of one pass, keyed by the id of their primal. Absent means zero, and costs nothing.
 *
 * (By id, not by data: clones may copy, and nested passes must tell a tensor from its captured copy.)
 */
export class TangentMap {
  readonly #byPrimal = new Map<number, Held>();
  readonly #byTangent = new Map<Tangent, Held>();

  get size(): number {
    return this.#byPrimal.size;
  }

  has(primal: tf.Tensor): boolean {
    return this.#byPrimal.has(primal.id);
  }

  get(primal: tf.Tensor): Tangent | undefined {
    return this.#byPrimal.get(primal.id)?.tangent;
  }

  /** Gives `primal` a tangent that stays the caller's. */
  lend(primal: tf.Tensor, tangent: Tangent): void {
    this.#put(primal, tangent, false);
  }

  /** Gives `primal` a tangent that is freed with it, or one that another tensor has too. */
  set(primal: tf.Tensor, tangent: Tangent): void {
    this.#put(primal, tangent, true);
  }

  /** `copy` has the same tangent as `primal`, if that has one, otherwise none. */
  share(primal: tf.Tensor, copy: tf.Tensor): void {
    const tangent = this.get(primal);
    if (tangent === undefined) this.delete(copy);
    else this.set(copy, tangent);
  }

  isHeld(tangent: Tangent): boolean {
    return this.#byTangent.has(tangent);
  }

  delete(primal: tf.Tensor): void {
    const held = this.#byPrimal.get(primal.id);
    if (held === undefined) return;
    this.#byPrimal.delete(primal.id);
    this.#release(held);
  }

  /** The dense tangent of a result, as a tensor of the current scope; undefined for zero. */
  take(primal: tf.Tensor): tf.Tensor | undefined {
    const held = this.#byPrimal.get(primal.id);
    if (held === undefined) return undefined;
    if (!(held.tangent instanceof tf.Tensor)) return held.tangent.materialize();
    if (!held.owned || held.users > 1) return tf.clone(held.tangent);
    this.#byPrimal.delete(primal.id);
    this.#byTangent.delete(held.tangent);
    return untrackedToScope(held.tangent);
  }

  /** Dense tangents of results, one for each even where a tensor stands twice; zeros where they are zero. */
  takeAll(primals: readonly tf.Tensor[], directions: number | undefined): tf.Tensor[] {
    const taken = new Map<tf.Tensor, tf.Tensor>();
    return primals.map((primal) => {
      const before = taken.get(primal);
      if (before !== undefined) return tf.clone(before);
      const shape = directions === undefined ? primal.shape : [directions, ...primal.shape];
      const tangent = this.take(primal) ?? tf.zeros(shape, primal.dtype);
      taken.set(primal, tangent);
      return tangent;
    });
  }

  dispose(): void {
    for (const { owned, tangent } of this.#byTangent.values()) if (owned) tangent.dispose();
    this.#byPrimal.clear();
    this.#byTangent.clear();
  }

  #put(primal: tf.Tensor, tangent: Tangent, owned: boolean): void {
    let held = this.#byTangent.get(tangent);
    if (held === undefined) {
      held = { tangent, owned, users: 0 };
      this.#byTangent.set(tangent, held);
      // Every op closes a scope; a tangent lives until its primal dies.
      if (owned && tangent instanceof tf.Tensor) tf.keep(tangent);
    }
    held.users++;
    const before = this.#byPrimal.get(primal.id);
    this.#byPrimal.set(primal.id, held);
    if (before !== undefined) this.#release(before);
  }

  #release(held: Held): void {
    held.users--;
    if (held.users > 0) return;
    this.#byTangent.delete(held.tangent);
    if (held.owned) held.tangent.dispose();
  }
}

/** Takes back `tf.keep`: the tensor belongs to the current scope. */
function untrackedToScope(tensor: tf.Tensor): tf.Tensor {
  tensor.kept = false;
  return (tf.engine() as unknown as { track(tensor: tf.Tensor): tf.Tensor }).track(tensor);
}
