import { FrugalError, foldIn, isStructured, type Key, randomNormal } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { exactSignal, greedySignal } from '../local/signal.ts';
import type { LeafGradients, StagePass } from '../local/stage-pass.ts';
import { outer } from '../noise/outer.ts';
import { DelegatingOptimizer, type Named } from './delegate.ts';
import { graphOf, type LayerInternals, leafLayers, type ModelInternals } from './internals.ts';
import { type OutputLink, outputLink } from './output-link.ts';
import { type Observation, watch } from './watch.ts';

/** Options of `localOptimizer`. */
export interface LocalOptimizerOptions {
  /** The signs of step i come from `foldIn(key, i)`, the first weights of the heads from it too. */
  key: Key;
  /** Units that share a scalar. Fewer: less noise, at no cost; 1 is exact local learning. Default 8. */
  groupSize?: number;
}

type Head = { readonly weight: tf.Variable; readonly bias: tf.Variable };

const HEADS = 0x68656164;
const PREFIX = 'frugal_head/';

/** By place, for tfjs numbers the names of layers anew in every model. */
const nameOf = (place: number, part: string): string => `${PREFIX}${place}/${part}`;

/** An optimizer of tfjs that teaches each layer by a loss of its own, without a backward pass. */
export class LocalOptimizer extends DelegatingOptimizer {
  static get className(): string {
    return 'FrugalLocalOptimizer';
  }

  readonly #model: tfl.LayersModel;
  readonly #key: Key;
  readonly #groupSize: number;
  readonly #heads = new Map<number, Head>();
  #loaded: ReadonlyMap<string, tf.Tensor> = new Map();

  /** Use `localOptimizer`. */
  constructor(model: tfl.LayersModel, inner: tf.Optimizer, { key, groupSize = 8 }: LocalOptimizerOptions) {
    super(inner);
    if (!Number.isSafeInteger(groupSize) || groupSize < 1) {
      throw new FrugalError('BAD_OPTION', `groupSize must be an integer of at least 1, got ${groupSize}.`);
    }
    this.#model = model;
    this.#key = key;
    this.#groupSize = groupSize;
  }

  override minimize(f: () => tf.Scalar, returnCost: boolean = false, varList?: tf.Variable[]): tf.Scalar | null {
    const model = graphOf(this.#model);
    const layers = leafLayers(model.layers);
    const given = new Set<tf.Tensor>(varList ?? layers.flatMap((l) => l.trainableWeights.map((w) => w.read())));
    const learners = layers.filter((layer) => layer.trainableWeights.some((weight) => given.has(weight.read())));
    const link = this.#link(model, layers, learners);
    const key = foldIn(this.#key, this.inner.iterations);
    const last = learners.length - 1;
    const noise = (place: number): Key | undefined =>
      place === last || this.#groupSize === 1 ? undefined : foldIn(key, place);
    const cost = tf.tidy(() => {
      const seen = watch(model, learners, f, noise);
      try {
        this.inner.applyGradients(this.#gradients(seen, link));
      } finally {
        for (const { pass } of seen.passes) pass.dispose();
      }
      return seen.cost;
    });
    if (returnCost) return cost;
    cost.dispose();
    return null;
  }

  /** @throws {FrugalError} For models with other losses or ends than this optimizer knows. */
  #link(model: ModelInternals, layers: readonly LayerInternals[], learners: readonly LayerInternals[]): OutputLink {
    const refuse = (what: string): never => {
      throw new FrugalError('UNSUPPORTED_MODEL', `localOptimizer: model '${model.name}' ${what}.`);
    };
    if (model.lossFunctions.length !== 1) refuse(`has ${model.lossFunctions.length} outputs; it must have one`);
    if (tf.tidy(() => model.calculateLosses().length) > 0) {
      refuse('has regularizers, which a local loss leaves out; decay the weights in the inner optimizer instead');
    }
    const tail = layers.slice(layers.indexOf(learners.at(-1)!) + 1);
    if (tail.length > 1 || tail.some((layer) => !['Activation', 'Softmax'].includes(layer.getClassName()))) {
      refuse(`must end in a trainable layer and its activation, it ends in [${tail.map(({ name }) => name)}]`);
    }
    return outputLink(model, layers);
  }

  /** The gradients of all that learns, heads too, always in the same order. */
  #gradients({ passes, targets, predictions }: Observation, link: OutputLink): Named[] {
    const gradients: LeafGradients = new Map();
    const heads: Head[] = [];
    const share = 1 / predictions.shape[0]!;
    const [batch, classes] = [predictions.shape[0]!, predictions.size * share];
    const slope = (p: tf.Tensor): tf.Tensor2D => tf.mul(link.slope(p as tf.Tensor2D, targets), share) as tf.Tensor2D;
    const { layer: top, pass: output } = passes.at(-1)!;
    if (predictions.rank !== 2 || output.u.size !== batch * classes) {
      throw new FrugalError(
        'UNSUPPORTED_MODEL',
        `localOptimizer needs predictions [B, C] made by the layer '${top.name}', got [${predictions.shape}].`,
      );
    }
    for (const [place, { pass }] of passes.slice(0, -1).entries()) {
      const head = this.#head(place, pass, classes);
      const e = slope(link.predict(tf.add(tf.matMul(pass.flat, head.weight as tf.Tensor2D), head.bias)));
      const weight = head.weight as tf.Tensor2D;
      const signal =
        this.#groupSize === 1 ? exactSignal(pass, weight, e) : greedySignal(pass, weight, e, this.#groupSize);
      pass.addGradients(signal, gradients);
      gradients.set(head.weight, outer(pass.flat, e));
      gradients.set(head.bias, tf.sum(e, 0));
      heads.push(head);
    }
    output.addGradients(slope(predictions), gradients);
    const own = new Set<tf.Tensor>(heads.flatMap(({ weight, bias }) => [weight, bias]));
    const ordered = [...gradients].sort(([a], [b]) => Number(own.has(a)) - Number(own.has(b)));
    return ordered.map(([variable, leaf]): Named => {
      const tensor = isStructured(leaf) ? leaf.materialize() : (leaf as tf.Tensor);
      if (isStructured(leaf)) leaf.dispose();
      return { name: (variable as tf.Variable).name, tensor };
    });
  }

  /** The linear read-out of a hidden layer, made when it is first met. */
  #head(place: number, pass: StagePass, classes: number): Head {
    const known = this.#heads.get(place);
    if (known !== undefined) return known;
    const units = pass.dh.shape[1];
    const key = foldIn(foldIn(this.#key, HEADS), place);
    const variable = (part: string, make: () => tf.Tensor): tf.Variable =>
      tf.tidy(() => tf.variable(this.#loaded.get(nameOf(place, part)) ?? make(), false));
    const head = {
      weight: variable('kernel', () => randomNormal(key, [units, classes], { sd: Math.sqrt(1 / units) })),
      bias: variable('bias', () => tf.zeros([classes])),
    };
    this.#heads.set(place, head);
    return head;
  }

  /** The inner optimizer's, and the heads. */
  override async getWeights(): Promise<Named[]> {
    const heads = [...this.#heads].flatMap(([place, { weight, bias }]): Named[] => [
      { name: nameOf(place, 'kernel'), tensor: weight },
      { name: nameOf(place, 'bias'), tensor: bias },
    ]);
    return [...(await super.getWeights()), ...heads];
  }

  /** Takes what `getWeights` gave, before the first step. */
  override async setWeights(weights: Named[]): Promise<void> {
    const isHead = ({ name }: Named): boolean => name.startsWith(PREFIX);
    this.#forget();
    this.#loaded = new Map(weights.filter(isHead).map(({ name, tensor }) => [name, tf.keep(tf.clone(tensor))]));
    await super.setWeights(weights.filter((weight) => !isHead(weight)));
  }

  #forget(): void {
    for (const { weight, bias } of this.#heads.values()) tf.dispose([weight, bias]);
    this.#heads.clear();
    tf.dispose([...this.#loaded.values()]);
    this.#loaded = new Map();
  }

  override dispose(): void {
    this.#forget();
    super.dispose();
  }
}

/**
 * Trains a `LayersModel` with `model.fit` by local losses: no backward pass, forward kernels only, and unlike weight
 * perturbation it learns networks of a useful size.
 *
 *     model.compile({ optimizer: localOptimizer(model, tf.train.adam(3e-3), { key: key(1) }), loss: 'categoricalCrossentropy' })
 *
 * The output of every dense layer, convolution and embedding is moved by random signs while `fit` computes its loss. A linear
 * head for each hidden one, which the optimizer makes, keeps and trains, turns that into a gradient; the output layer's is
 * exact. Other layers (pooling, dropout, flattening) run as they are. An activation that is to bend a layer's features
 * belongs into the layer (`activation: 'relu'`). Weights of classes and samples do not reach the local losses.
 *
 * @param model One output; softmax with (sparse) categorical cross-entropy, sigmoid with binary cross-entropy, or a linear
 * output with mean squared error. Layers that should not learn: `trainable = false` before `compile`.
 * @param inner What to do with the gradients: an optimizer of tfjs, or `toLayersOptimizer(…)` of core-trainer. It is disposed
 * with this one.
 * @throws {FrugalError} `BAD_OPTION`; in `fit` `UNSUPPORTED_MODEL`, `UNSUPPORTED_LAYER`, `UNSUPPORTED_LOSS`.
 * arXiv 2210.03310 (LG-FG-A)
 */
export function localOptimizer(
  model: tfl.LayersModel,
  inner: tf.Optimizer,
  options: LocalOptimizerOptions,
): LocalOptimizer {
  return new LocalOptimizer(model, inner, options);
}
