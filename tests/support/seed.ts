import fc from 'fast-check';
import seedrandom from 'seedrandom';

/** Random cases, and the weights that tfjs-layers draws, are the same every time: a failure is about what was changed. */
export function seedChance(seed: number): void {
  fc.configureGlobal({ seed });
  seedrandom(String(seed), { global: true });
}
