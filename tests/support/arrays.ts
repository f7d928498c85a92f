import { fillNormal, key } from '@frugal/tensor';

/** `size` standard normal numbers of a seed, float32. */
export function normals(seed: number, size: number): Float32Array {
  const out = new Float32Array(size);
  fillNormal(key(seed), out);
  return out;
}
