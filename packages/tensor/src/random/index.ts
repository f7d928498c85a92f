export { type RandomCategoricalOptions, randomCategorical } from './categorical.ts';
export { fillBits, fillNormal, fillSigns, fillUniform } from './fill.ts';
export { fillIntegers, randomPermutation } from './integers.ts';
export { foldIn, key, split } from './key.ts';
export { packedSigns } from './packed-signs.ts';
export { philoxBlock } from './philox.ts';
export {
  type RandomIntegersOptions,
  type RandomNormalOptions,
  type RandomUniformOptions,
  randomBits,
  randomIntegers,
  randomNormal,
  randomSigns,
  randomUniform,
  type StreamOptions,
} from './samplers.ts';
