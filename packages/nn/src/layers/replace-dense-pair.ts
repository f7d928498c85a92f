import { FrugalError, foldIn, type Module, type Stage, type Staged, type Tree } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { childContext, runSteps } from '../context.ts';
import type { LayersModule } from './from-layers-model.ts';
import type { LayersParams } from './variables.ts';

/** A tfjs model in which another module stands for two dense layers. */
export interface ReplacedPair {
  /** Parameters by layer as before; the module's stand at the first layer's name, the second's are gone. */
  readonly model: Staged<LayersParams>;
  /**
   * The tfjs model's weights in that shape, the pair as `{ fc1, fc2 }` with `weight` [in, out] and `bias`: what the conversions of
   * `@frugal/moe` and `@frugal/token-boost` take. Shared: the tfjs model goes on owning them.
   */
  trained(): LayersParams;
}

/**
 * Puts another module in the place of two dense layers that follow each other in a sequential tfjs model: experts or ordered
 * learners, which then are made out of the trained weights.
 *
 *     const { model, trained } = replaceDensePair(fromLayersModel(mine), ['dense_1', 'dense_2'], moe(…));
 *     const params = await expertParams(model.init(key(1)), trained(), { key: key(2) });
 *
 * @param base Of `fromLayersModel`, staged.
 * @param pair Names of the two layers. The second must be linear, as nothing stands between the module and what follows; the module
 * brings the activation of the first.
 * @throws {FrugalError} `BAD_MODEL` if there is no such pair.
 */
export function replaceDensePair(
  base: LayersModule & Staged<LayersParams>,
  pair: readonly [first: string, second: string],
  module: Module<never>,
): ReplacedPair {
  const [first, second] = pair;
  const at = base.stages.findIndex(({ name }) => name === first);
  const place = `replaceDensePair: '${first}', '${second}'`;
  if (at < 0 || base.stages[at + 1]?.name !== second) {
    const names = base.stages.map(({ name }) => name).join(', ');
    throw new FrugalError('BAD_MODEL', `${place} do not follow each other in the model: ${names}.`);
  }
  for (const name of pair) {
    const layer = base.model.getLayer(name) as tfl.layers.Layer;
    const { activation, useBias } = layer.getConfig() as { activation?: string; useBias?: boolean };
    if (layer.getClassName() !== 'Dense' || useBias === false || (name === second && activation !== 'linear')) {
      const rule = 'Both must be dense layers with a bias, the second without an activation.';
      throw new FrugalError('BAD_MODEL', `${place} are no pair that another module can stand for. ${rule}`);
    }
  }
  const inner = module as unknown as Module;
  const between: Stage<LayersParams> = {
    name: first,
    params: (all) => all[first]!,
    apply(all, x, ctx) {
      const child = childContext(ctx, first, at);
      const y = inner.apply(all[first]!, x, child);
      child?.taps?.set(child.path ?? '', y);
      return y;
    },
  };
  const stages = [...base.stages.slice(0, at), between, ...base.stages.slice(at + 2)];
  const without = (all: LayersParams, mine: Tree): LayersParams => {
    const { [second]: _, ...rest } = all;
    return { ...rest, [first]: mine };
  };
  return {
    model: {
      stages,
      init(key) {
        const all = base.init(key);
        tf.dispose([all[first]!, all[second]!] as tf.TensorContainer);
        return without(all, inner.init(foldIn(key, base.stages.length)));
      },
      apply: (params, x, ctx) =>
        runSteps(
          x,
          stages.map((stage) => (h: tf.Tensor) => stage.apply(params, h, ctx)),
        ),
    },
    trained() {
      const all = base.weights();
      const affine = (name: string): Tree => {
        const { kernel, bias } = all[name] as Record<string, tf.Tensor>;
        return { weight: kernel!, bias: bias! };
      };
      return without(all, { fc1: affine(first), fc2: affine(second) });
    },
  };
}
