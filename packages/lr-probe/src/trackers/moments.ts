import { isTensor, type Tree } from '@frugal/tensor';

/** The second moments of an Adam in an optimizer's state: the first `v` beside an `m`. */
export function secondMoments(state: Tree): Tree | undefined {
  if (isTensor(state)) return undefined;
  if ('m' in state && 'v' in state) return state.v as Tree;
  for (const child of Object.values(state)) {
    const found = secondMoments(child as Tree);
    if (found !== undefined) return found;
  }
  return undefined;
}
