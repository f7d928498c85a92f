import { type Key, split } from '@frugal/tensor';
import { checkCount } from '../errors.ts';
import type { Examples } from '../examples.ts';
import { normals, uniforms } from '../host-random.ts';

/** Which spirals. */
export interface SpiralsOptions {
  /** Points in all; class of point i is i mod `classes`. */
  readonly size: number;
  /** Arms. Default: 2. */
  readonly classes?: number;
  /** How often an arm goes round. Default: 1.5. */
  readonly turns?: number;
  /** Standard deviation of the normal noise on each coordinate; the arms end at radius 1. Default: 0.02. */
  readonly noise?: number;
  readonly key: Key;
}

/**
 * Interleaved spirals in the plane: with t uniform in [0, 1), r = t, angle = 2π (turns · t + class / classes).
 *
 * Inputs are float32 `[2]`, targets the number of the arm. A linear model cannot tell the arms apart.
 */
export function spirals(options: SpiralsOptions): Examples<Float32Array, Uint8Array> {
  const { size, classes = 2, turns = 1.5, noise = 0.02, key } = options;
  checkCount('size', size);
  checkCount('classes', classes);
  const [radiusKey, noiseKey] = split(key);
  const radii = uniforms(radiusKey, size);
  const offsets = normals(noiseKey, 2 * size);
  const x = new Float32Array(2 * size);
  const y = Uint8Array.from({ length: size }, (_, i) => i % classes);
  for (let i = 0; i < size; i++) {
    const angle = 2 * Math.PI * (turns * radii[i]! + y[i]! / classes);
    x[2 * i] = radii[i]! * Math.cos(angle) + noise * offsets[2 * i]!;
    x[2 * i + 1] = radii[i]! * Math.sin(angle) + noise * offsets[2 * i + 1]!;
  }
  return { size, x, shape: [2], y, targetShape: [], classes };
}
