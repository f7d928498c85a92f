import {
  FrugalError,
  type GradientTransformation,
  type StructuredLeaf,
  type Tree,
  treeClone,
  treeEntries,
  treeLeaves,
  treeUnflatten,
  type UpdateTree,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { takeStep } from './apply.ts';
import { commonKinds, mergedHyperparams } from './chain.ts';
import { pick } from './mask.ts';
import { type NoState, stateless } from './support.ts';

/** The states of the parts of a partition, by label. */
export type PartitionState = { readonly [label: string]: Tree };

/** Updates of zero: parameters under it stay as they are. */
export function freeze(): GradientTransformation<NoState> {
  const zeros = stateless((updates) =>
    treeUnflatten(
      updates,
      treeLeaves(updates).map((leaf) => tf.zeros(leaf.shape as number[])),
    ),
  );
  return { ...zeros, step: (_grads, _state, params) => [params, {}] };
}

/**
 * A transformation of its own for each group of parameters.
 *
 * @param parts - The transformations by label; every one sees only the parameters with its label.
 * @param label - The label of a parameter, from its path (`'blocks.0.mlp.weight'`) and the parameter itself.
 * @throws {FrugalError} `UNKNOWN_LABEL` from `init` where `label` returns one that is not in `parts`.
 */
export function partition(
  parts: Readonly<Record<string, GradientTransformation>>,
  label: (path: string, parameter: tf.Tensor) => string,
): GradientTransformation<PartitionState> {
  const names = Object.keys(parts);
  const members = Object.values(parts);

  function labels(params: Tree): string[] {
    return treeEntries(params).map(([path, leaf]) => {
      const name = label(path, leaf);
      if (names.includes(name)) return name;
      throw new FrugalError(
        'UNKNOWN_LABEL',
        `parameter '${path}' is labelled '${name}', but the parts are ${names.map((n) => `'${n}'`).join(', ')}.`,
      );
    });
  }

  /** Runs each part on its leaves and puts what comes out where the leaves stood. */
  function eachPart<T extends Tree | UpdateTree>(
    like: T,
    params: Tree,
    run: (name: string, keep: boolean[]) => UpdateTree,
  ): T {
    const of = labels(params);
    const out: (tf.Tensor | StructuredLeaf)[] = [];
    for (const name of names) {
      const keep = of.map((other) => other === name);
      const moved = treeLeaves(run(name, keep)).values();
      keep.forEach((mine, i) => {
        if (mine) out[i] = moved.next().value!;
      });
    }
    return treeUnflatten(like, out);
  }

  const step: GradientTransformation<PartitionState>['step'] = (grads, state, params, extra) => {
    const next: Record<string, Tree> = {};
    const moved = eachPart(params, params, (name, keep) => {
      const [part, after] = takeStep(parts[name]!, pick(grads, keep), state[name]!, pick(params, keep), extra);
      next[name] = after;
      return part;
    });
    return [moved, next];
  };

  return {
    init: (params) => {
      const of = labels(params);
      return Object.fromEntries(
        names.map((name) => [
          name,
          parts[name]!.init(
            pick(
              params,
              of.map((other) => other === name),
            ),
          ),
        ]),
      );
    },
    update: (updates, state, params, extra) => {
      const next: Record<string, Tree> = {};
      const moved = eachPart(updates, params, (name, keep) => {
        const [part, after] = parts[name]!.update(pick(updates, keep), state[name]!, pick(params, keep), extra);
        next[name] = after;
        return part;
      });
      return [moved, next];
    },
    ...(members.some((member) => member.step !== undefined) ? { step } : {}),
    ...(members.some((member) => member.evaluationParams !== undefined)
      ? {
          evaluationParams: (state, params) =>
            eachPart(params, params, (name, keep) => {
              const part = pick(params, keep);
              return parts[name]!.evaluationParams?.(state[name]!, part) ?? treeClone(part);
            }),
        }
      : {}),
    hyperparams: (at) => mergedHyperparams(members, at),
    accepts: commonKinds(members),
  };
}
