import { type Tree, treeEntries } from '@frugal/tensor';

/** Every number of a tree by path, as its bits: equal only if the trees are equal bit for bit. */
export async function bitsOf(tree: Tree): Promise<Record<string, number[]>> {
  const out: Record<string, number[]> = {};
  for (const [path, leaf] of treeEntries(tree)) {
    const values = (await leaf.data()) as Float32Array;
    out[`${path} ${leaf.dtype} [${leaf.shape}]`] = [...new Uint8Array(values.slice().buffer)];
  }
  return out;
}
