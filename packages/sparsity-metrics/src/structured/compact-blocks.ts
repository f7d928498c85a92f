import type { BlockOptions } from '@frugal/nn';
import { type Tree, treeMap } from '@frugal/tensor';
import { blocksOf, checkKept, featuresOf, type KeptInBlock } from './blocks.ts';
import { takeAlong } from './take-along.ts';

/** A transformer with smaller blocks. */
export interface CompactedBlocks<P extends Tree> {
  /** The caller owns them. */
  readonly params: P;
  /** The sizes of block i, for the `block` option of `vit` and `gpt`. */
  readonly block: (index: number) => Pick<BlockOptions, 'heads' | 'mlpRatio' | 'attention'>;
}

/**
 * Cuts heads and hidden units out of the blocks of a transformer: smaller matrices, the output of the masked model (`blockMasks`).
 *
 *     const cut = compactBlocks(params, 4, kept);
 *     const small = nn.vit({ ...options, block: cut.block });
 *     small.apply(cut.params, images);
 *
 * @param params Of `vit` or `gpt` with blocks of their own making; they stay the caller's.
 * @param heads Heads of each block.
 * @param kept An entry per block, of `pruneBlocks`.
 * @throws {FrugalError} `NOT_PRUNABLE`, `BAD_OPTION`.
 */
export function compactBlocks<P extends Tree>(
  params: P,
  heads: number,
  kept: readonly KeptInBlock[],
): CompactedBlocks<P> {
  const weights = blocksOf(params, heads);
  checkKept(kept, weights, heads);
  const sizes = weights.map(({ proj, fc2 }, i) => ({
    dim: proj.weight.shape[1]!,
    size: proj.weight.shape[0]! / heads,
    heads: kept[i]!.heads ?? Array.from({ length: heads }, (_, head) => head),
    hidden: kept[i]!.hidden ?? Array.from({ length: fc2.weight.shape[0]! }, (_, unit) => unit),
  }));
  const { blocks, ...rest } = params as unknown as { blocks: readonly Record<string, Tree>[] };
  const copy = (tree: Tree): Tree => treeMap((leaf) => leaf.clone(), tree);
  const cut = weights.map(({ qkv, proj, fc1, fc2 }, i) => {
    const { attn: _, mlp: __, ...norms } = blocks[i]!;
    const { size, heads: some, hidden } = sizes[i]!;
    const all = [0, 1, 2].flatMap((part) => featuresOf(some, size, part * heads));
    const columns = (layer: typeof qkv, which: readonly number[]) => ({
      weight: takeAlong(layer.weight, which, 1),
      ...(layer.bias && { bias: takeAlong(layer.bias, which, 0) }),
    });
    const rows = (layer: typeof qkv, which: readonly number[]) => ({
      weight: takeAlong(layer.weight, which, 0),
      ...(layer.bias && { bias: layer.bias.clone() }),
    });
    return {
      ...(copy(norms) as object),
      attn: { qkv: columns(qkv, all), proj: rows(proj, featuresOf(some, size)) },
      mlp: { fc1: columns(fc1, hidden), fc2: rows(fc2, hidden) },
    };
  });
  return {
    params: { ...(copy(rest as Tree) as object), blocks: cut } as unknown as P,
    block: (index) => {
      const { dim, size, heads: some, hidden } = sizes[index]!;
      return { heads: some.length, mlpRatio: hidden.length / dim, attention: { headSize: size } };
    },
  };
}
