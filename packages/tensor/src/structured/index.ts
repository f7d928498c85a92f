export { RankOne, rankOne } from './rank-one.ts';
export { Signs, type SignsOptions, signs } from './signs.ts';
export type { StructuredTangent } from './structured.ts';
