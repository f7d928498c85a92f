import { FrugalError, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { LayerInternals, VariableInternals } from './internals.ts';

/** Parameters of a tfjs model: weights by layer name and weight name, `'conv2d_1.kernel'`. */
export type LayersParams = { readonly [layer: string]: Tree };

/** A weight of a model, where it stands in the tree, and the layer that it belongs to. */
export interface Slot {
  readonly variable: VariableInternals;
  readonly segments: readonly string[];
  readonly layer: LayerInternals;
}

const segmentsOf = (name: string): string[] => name.split(/[./]/).filter((part) => part !== '');

/** All weights of a model with their places: nested models by name, then layers, then what is inside of them. */
export function collectSlots(model: LayerInternals): Slot[] {
  const slots: Slot[] = [];
  const seen = new Set<VariableInternals>();
  const visit = (layer: LayerInternals, above: readonly string[]): void => {
    for (const child of layer.layers ?? []) {
      const path = [...above, ...segmentsOf(child.name)];
      if (child.layers) {
        visit(child, path);
        continue;
      }
      for (const variable of child.weights) {
        if (seen.has(variable)) continue;
        seen.add(variable);
        const { originalName } = variable;
        const own = originalName.startsWith(`${child.name}/`)
          ? originalName.slice(child.name.length + 1)
          : originalName;
        slots.push({ variable, segments: [...path, ...segmentsOf(own)], layer: child });
      }
    }
  };
  visit(model, []);
  const names = slots.map(({ segments }) => segments.join('.'));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new FrugalError(
      'BAD_MODEL',
      `Two weights of the model are called '${twice}'. Give their layers other names.`,
    );
  }
  return slots;
}

/** A tree of the values that `f` gives for each slot. */
export function buildTree(slots: readonly Slot[], f: (slot: Slot, index: number) => tf.Tensor): LayersParams {
  const root: Record<string, unknown> = {};
  slots.forEach((slot, i) => {
    let node = root;
    for (const segment of slot.segments.slice(0, -1)) {
      node[segment] ??= {};
      node = node[segment] as Record<string, unknown>;
    }
    node[slot.segments.at(-1)!] = f(slot, i);
  });
  return root as LayersParams;
}

/**
 * The leaf of `params` that belongs to a slot.
 *
 * @throws {FrugalError} If there is none, or its shape is another.
 */
export function leafAt(params: LayersParams, slot: Slot): tf.Tensor {
  const name = slot.segments.join('.');
  let node: unknown = params;
  for (const segment of slot.segments) node = (node as Record<string, unknown> | undefined)?.[segment];
  if (!(node instanceof tf.Tensor)) {
    throw new FrugalError(
      'BAD_PARAMS',
      `The parameters lack '${name}'. Take the structure that 'init' or 'weights' give.`,
    );
  }
  if (node.shape.join() !== slot.variable.shape.join()) {
    const shapes = `shape [${slot.variable.shape}], got [${node.shape}]`;
    throw new FrugalError('BAD_PARAMS', `The parameter '${name}' must have ${shapes}.`);
  }
  return node;
}

/** Runs `f` while the model's weights read as the given parameters; afterwards they are the model's own again. */
export function withParams<T>(slots: readonly Slot[], params: LayersParams, f: () => T): T {
  const values = slots.map((slot) => leafAt(params, slot));
  const own = slots.map(({ variable }) => variable.val);
  try {
    slots.forEach(({ variable }, i) => {
      variable.val = values[i]!;
    });
    return f();
  } finally {
    slots.forEach(({ variable }, i) => {
      variable.val = own[i]!;
    });
  }
}
