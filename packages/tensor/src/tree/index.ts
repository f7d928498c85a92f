export { treeFromEntries, treeRestore } from './from-entries.ts';
export { treeAt, treeGraft } from './graft.ts';
export {
  assertSameStructure,
  isStructured,
  isTensor,
  TreeMismatchError,
  treeClone,
  treeDispose,
  treeEntries,
  treeLeaves,
  treeMap,
  treeMaterialize,
  treeSize,
  treeUnflatten,
  treeZerosLike,
} from './tree.ts';
