export { type FromLayersModelOptions, fromLayersModel, type LayersModule } from './from-layers-model.ts';
export { type ReplacedPair, replaceDensePair } from './replace-dense-pair.ts';
export { type ToLayersModelOptions, toLayersModel } from './to-layers-model.ts';
export type { LayersParams } from './variables.ts';
