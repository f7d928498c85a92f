import type { Case } from '../program.ts';
import { elementwiseCases } from './elementwise.ts';
import { layerCases } from './frugal/layers.ts';
import { ownProductCases } from './frugal/products.ts';
import { updateCases } from './frugal/updates.ts';
import { indexingCases } from './indexing.ts';
import { productCases } from './products.ts';
import { shapeCases } from './shapes.ts';
import { spectralCases } from './spectral.ts';
import { windowCases } from './windows.ts';

/** Every family of programs that the rules are held against. */
export const cases: readonly Case[] = [
  ...shapeCases,
  ...indexingCases,
  ...productCases,
  ...elementwiseCases,
  ...windowCases,
  ...spectralCases,
  ...layerCases,
  ...ownProductCases,
  ...updateCases,
];
