export { fillBits, fillNormal, fillSigns, fillUniform } from './fill.ts';
export { fillIntegers, randomPermutation } from './integers.ts';
export { foldIn, key, split } from './key.ts';
export { packedSigns } from './packed-signs.ts';
export { philoxBlock } from './philox.ts';
