export { treeFromEntries, treeRestore } from './from-entries.ts';
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
