import {
  FrugalError,
  type GradientTransformation,
  type Tree,
  treeDispose,
  type UpdateExtra,
  type UpdateTree,
} from '@frugal/tensor';
import { densify } from './apply.ts';
import { identity } from './scale.ts';

/** The states of the members of a chain, in order. */
export type ChainState = readonly Tree[];

/** The kinds of structured leaves that all of `members` accept. */
export function commonKinds(members: readonly GradientTransformation[]): readonly string[] {
  const [first, ...rest] = members;
  return (first?.accepts ?? []).filter((kind) => rest.every((member) => member.accepts?.includes(kind) ?? false));
}

/** The hyperparameters of several transformations; a name that occurs again is numbered: `learningRate`, `learningRate1`. */
export function mergedHyperparams(members: readonly GradientTransformation[], step: number): Record<string, number> {
  const merged: Record<string, number> = {};
  for (const member of members) {
    for (const [name, value] of Object.entries(member.hyperparams?.(step) ?? {})) {
      let key = name;
      for (let i = 1; key in merged; i++) key = `${name}${i}`;
      merged[key] = value;
    }
  }
  return merged;
}

/**
 * Transformations one after another: the updates of each are the gradients of the next.
 *
 * Has a fused `step` where the last member has one. Structured gradients stay structured where every member accepts
 * their kind, otherwise they are materialised once, at the entry.
 *
 * @returns A transformation whose state is the list of the members' states.
 */
export function chain(...members: GradientTransformation[]): GradientTransformation<ChainState> {
  if (members.length === 0) return chain(identity());
  const accepts = commonKinds(members);
  const last = members.length - 1;

  function through(count: number, grads: UpdateTree, state: ChainState, params: Tree, extra: UpdateExtra) {
    let updates = grads;
    const next: Tree[] = [];
    try {
      for (const [i, member] of members.slice(0, count).entries()) {
        const [moved, after] = member.update(updates, state[i]!, params, extra);
        if (updates !== grads) treeDispose(updates);
        updates = moved;
        next.push(after);
      }
    } catch (error) {
      if (updates !== grads) treeDispose(updates);
      treeDispose(next);
      throw error;
    }
    return { updates, next };
  }

  function checkState(state: ChainState): void {
    if (Array.isArray(state) && state.length === members.length) return;
    throw new FrugalError(
      'STATE_MISMATCH',
      `the state of a chain of ${members.length} must be an array of as many states. Take it from init of the same chain.`,
    );
  }

  const step: GradientTransformation<ChainState>['step'] = (grads, state, params, extra) => {
    checkState(state);
    const dense = densify(grads, accepts);
    try {
      const { updates, next } = through(last, dense.tree, state, params, extra);
      try {
        const [moved, after] = members[last]!.step!(updates, state[last]!, params, extra);
        treeDispose(state.slice(0, last));
        return [moved, [...next, after]];
      } catch (error) {
        treeDispose(next);
        throw error;
      } finally {
        if (updates !== dense.tree) treeDispose(updates);
      }
    } finally {
      dense.dispose();
    }
  };

  const evaluation: GradientTransformation<ChainState>['evaluationParams'] = (state, params) => {
    const at = members.findLastIndex((member) => member.evaluationParams !== undefined);
    return members[at]!.evaluationParams!(state[at]!, params);
  };

  return {
    init: (params) => members.map((member) => member.init(params)),
    update: (grads, state, params, extra) => {
      checkState(state);
      const dense = densify(grads, accepts);
      try {
        const { updates, next } = through(members.length, dense.tree, state, params, extra);
        return [updates, next];
      } finally {
        dense.dispose();
      }
    },
    ...(members[last]!.step === undefined ? {} : { step }),
    ...(members.some((member) => member.evaluationParams) ? { evaluationParams: evaluation } : {}),
    hyperparams: (at) => mergedHyperparams(members, at),
    accepts,
  };
}
