/** Threads for a row: a power of two, enough for short rows and no more than a row has use for. */
export function workgroupFor(length: number): number {
  return Math.min(64, 2 ** Math.max(2, Math.ceil(Math.log2(Math.max(1, length)))));
}

const COMBINE = { sum: 'a + b', max: 'max(a, b)' } as const;

/** WGSL functions `reduce_sum`, `reduce_max`: a value per thread → the same total in every thread of the workgroup. */
export function reduction(size: number, kinds: readonly (keyof typeof COMBINE)[]): string {
  const functions = kinds.map(
    (kind) => `
fn reduce_${kind}(value: f32, local: u32) -> f32 {
  workgroupBarrier();
  partial[local] = value;
  workgroupBarrier();
  for (var half = ${size / 2}u; half > 0u; half >>= 1u) {
    if (local < half) { let a = partial[local]; let b = partial[local + half]; partial[local] = ${COMBINE[kind]}; }
    workgroupBarrier();
  }
  return partial[0];
}`,
  );
  return `var<workgroup> partial: array<f32, ${size}>;${functions.join('')}`;
}
