import type { Coding } from './codings.ts';

/** What is written about a tensor that is not stored as it is. */
export interface Entry {
  shape: number[];
  coding: Coding | 'dense';
  /** Where values are 8-bit: what 1 stands for. */
  scale?: number;
}

/** The metadata entry that describes the file. */
export const META: string = 'frugal.sparse';
/** The same for a file of what differs from a base. */
export const DELTA: string = 'frugal.delta';
/** How the tensor with the places of another one is called. */
export const PLACES: string = '#places';
