import { isTensor, type Tree, treeDispose } from '@frugal/tensor';

/** Frees the tensors of a batch of any type; what is no tensor is left alone. */
export function disposeBatch(batch: unknown): void {
  if (isTensor(batch)) {
    if (!batch.isDisposed) treeDispose(batch as Tree);
  } else if (typeof batch === 'object' && batch !== null && !ArrayBuffer.isView(batch)) {
    for (const part of Object.values(batch)) disposeBatch(part);
  }
}

/** Examples in a batch: the first axis of its first tensor, or the length of its first list; 1 where there is none. */
export function examplesIn(batch: unknown): number {
  if (isTensor(batch)) return batch.shape[0] ?? 1;
  if (ArrayBuffer.isView(batch)) return (batch as Uint8Array).length;
  if (typeof batch !== 'object' || batch === null) return 1;
  const first = Object.values(batch)[0];
  return Array.isArray(batch) && !isTensor(first) ? batch.length : examplesIn(first);
}
