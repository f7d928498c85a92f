import { type Context, FrugalError, foldIn, type Module, type Stage, type Staged } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';
import { joinPath, runSteps } from '../context.ts';
import { freshWeight } from './fresh-weights.ts';
import { internals, type LayerInternals, partsOf, type VariableInternals } from './internals.ts';
import { hasMovingStatistics, statefulCall } from './moving-statistics.ts';
import { drawFromKey, isNoisy, replaceCall } from './noise.ts';
import { buildTree, collectSlots, type LayersParams, leafAt, type Slot, withParams } from './variables.ts';

/** A tfjs model as a module. The model stays usable by itself, and is never changed by `apply`. */
export interface LayersModule<I = tf.Tensor, O = tf.Tensor> extends Module<LayersParams, I, O> {
  readonly model: tfl.LayersModel;
  /** The model's trainable weights as a tree; shared, so the model goes on owning them. */
  weights(): LayersParams;
  /** The model's moving statistics by path, shared likewise: `createState(module.statistics())` copies them. */
  statistics(): Record<string, tf.Tensor>;
  /** Writes parameters, and statistics where given, into the model. */
  assign(params: LayersParams, statistics?: Readonly<Record<string, tf.Tensor>>): void;
}

/** Options of `fromLayersModel`. */
export interface FromLayersModelOptions {
  /** Whether each layer of a sequential model becomes a stage. Default true. */
  staged?: boolean;
}

/**
 * A tfjs `LayersModel` as a module, staged by its layers if it is sequential.
 *
 * `apply(params, x, ctx)` runs the model with `params` in place of its trainable weights; frozen ones stay the model's.
 * Dropout and noise draw from `ctx.key`. Batch normalization reads its moving statistics from `ctx.state`, or else from
 * the model, and updates `ctx.state` only. Losses that layers add (regularizers) are not part of it.
 *
 * `init(key)` draws from the initializers that the layers were made with; `weights()` are the present values.
 *
 * @throws {FrugalError} For a model that is not built, has stateful layers, or is to be staged across masks.
 */
export function fromLayersModel(model: tfl.Sequential): LayersModule & Staged<LayersParams>;
export function fromLayersModel(model: tfl.LayersModel, options?: FromLayersModelOptions): LayersModule;
export function fromLayersModel<I = tf.Tensor, O = tf.Tensor>(
  model: tfl.LayersModel,
  options?: FromLayersModelOptions,
): LayersModule<I, O>;
export function fromLayersModel(
  model: tfl.LayersModel,
  options: FromLayersModelOptions = {},
): LayersModule & Partial<Pick<Staged<LayersParams>, 'stages'>> {
  const root = internals(model);
  checkModel(model, root);
  const slots = collectSlots(root);
  const trainable = new Set(root.trainableWeights);
  const learned = slots.filter(({ variable }) => trainable.has(variable));
  const moving = movingSlots(root, slots);
  const runner = makeRunner(root, slots, learned);

  const module: LayersModule = {
    model,
    init: (key) => buildTree(learned, (slot, i) => freshWeight(slot, foldIn(key, i))),
    apply: (params, x, ctx) => runner(root, learned, params, x, ctx),
    weights: () => buildTree(learned, ({ variable }) => variable.read()),
    statistics: () => Object.fromEntries(moving.map(({ variable, segments }) => [segments.join('.'), variable.read()])),
    assign(params, statistics = {}) {
      const values = learned.map((slot) => leafAt(params, slot));
      learned.forEach(({ variable }, i) => {
        variable.write(values[i]!);
      });
      for (const { variable, segments } of moving) {
        const value = statistics[segments.join('.')];
        if (value) variable.write(value);
      }
    },
  };
  if (root.getClassName() !== 'Sequential' || options.staged === false) return module;
  checkMasks(root);
  const stages = root
    .layers!.filter((layer) => layer.getClassName() !== 'InputLayer')
    .map((layer): Stage<LayersParams> => {
      const inside = new Set(layer.weights);
      const own = learned.filter(({ variable }) => inside.has(variable));
      return {
        name: layer.name,
        params: (all) => buildTree(own, (slot) => leafAt(all, slot)),
        apply(all, x, ctx) {
          const y = runner(layer, own, all, x, ctx);
          ctx?.taps?.set(joinPath(ctx.path, layer.name), y);
          return y;
        },
      };
    });
  const apply: LayersModule['apply'] = (params, x, ctx) =>
    runSteps(
      x,
      stages.map((stage) => (h: tf.Tensor) => stage.apply(params, h, ctx)),
    );
  return { ...module, apply, stages };
}

/** Runs a model or one of its layers with given parameters, state and key. */
function makeRunner(root: LayerInternals, slots: readonly Slot[], learned: readonly Slot[]) {
  const parts = partsOf(root);
  const noisy = parts.filter(isNoisy);
  const names = new Map<VariableInternals, string>(slots.map((slot) => [slot.variable, slot.segments.join('.')]));
  const pathOf = (variable: VariableInternals): string => names.get(variable) ?? variable.originalName;
  return (
    target: LayerInternals,
    used: readonly Slot[],
    params: LayersParams,
    x: tf.Tensor,
    ctx: Context = { train: false },
  ): tf.Tensor => {
    const undo: (() => void)[] = [];
    try {
      for (const part of partsOf(target)) {
        if (hasMovingStatistics(part)) undo.push(replaceCall(part, statefulCall(part, ctx, pathOf)));
        if (ctx.train && isNoisy(part)) undo.push(drawFromKey(part, noisy.indexOf(part), part.name, ctx));
      }
      const layer = target as unknown as tfl.layers.Layer;
      return withParams(used, params, () =>
        tf.tidy(() => {
          const y = layer.apply(x, { training: ctx.train }) as tf.Tensor;
          // A layer may hand its input through; the result must be new.
          return Array.isArray(y) ? (y.map((part: tf.Tensor) => part.clone()) as unknown as tf.Tensor) : y.clone();
        }),
      );
    } finally {
      for (const f of undo.reverse()) f();
    }
  };
}

function movingSlots(root: LayerInternals, slots: readonly Slot[]): Slot[] {
  const statistics = new Set(
    partsOf(root)
      .filter(hasMovingStatistics)
      .flatMap(({ movingMean, movingVariance }) => [movingMean, movingVariance]),
  );
  return slots.filter(({ variable }) => statistics.has(variable));
}

function checkModel(model: tfl.LayersModel, root: LayerInternals): void {
  if ((model.outputs ?? []).length === 0) {
    throw new FrugalError(
      'BAD_MODEL',
      'fromLayersModel: the model has no weights yet. Give its first layer an inputShape.',
    );
  }
  const stateful = partsOf(root).find((part) => part.stateful === true && part.cell !== undefined);
  if (stateful !== undefined) {
    throw new FrugalError(
      'BAD_MODEL',
      `fromLayersModel: layer '${stateful.name}' is stateful, so its output depends on earlier calls. Make it with stateful: false.`,
    );
  }
}

function checkMasks(root: LayerInternals): void {
  const masking = partsOf(root).find((part) => part.getClassName() === 'Masking' || part.maskZero === true);
  if (masking === undefined) return;
  throw new FrugalError(
    'BAD_MODEL',
    `fromLayersModel: layer '${masking.name}' masks what follows, and masks cannot pass between stages. Pass { staged: false }.`,
  );
}
