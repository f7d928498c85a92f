import type { GradientCase } from './case.ts';
import { layerCases } from './layers.ts';
import { tensorCases } from './tensors.ts';

export type { GradientCase, Verdict } from './case.ts';

/** The gradients that people meet, with what tfjs makes of them. */
export const gradientCases: readonly GradientCase[] = [...tensorCases, ...layerCases];
