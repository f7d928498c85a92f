import type { AnyModule, Layer, Spec } from '@frugal/nn';
import { FrugalError, gatherRows, type Staged, type Tree, treeEntries, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { joinPath, type Link, linksOf, specFrom } from './chain.ts';
import { removableUnits } from './removable.ts';
import type { KeptUnits } from './units.ts';

/** The makers of layers, as `@frugal/nn` exports them: pass the package itself, `import * as nn from '@frugal/nn'`. */
export type LayerMakers = Pick<
  typeof import('@frugal/nn'),
  'conv2d' | 'convReluPool2d' | 'dense' | 'sequential' | 'wrap'
>;

/** Options of `compact`. */
export interface CompactOptions {
  /** The makers of layers: `import * as nn from '@frugal/nn'`. */
  nn: LayerMakers;
  /**
   * The units that stay, by layer path. Default: all except those that change nothing: no incoming weight and no bias, or
   * no outgoing weight.
   */
  kept?: KeptUnits;
}

/** A smaller model. */
export interface Compacted<P extends Tree = Tree> {
  /** A model of the same form with fewer units. */
  readonly model: Staged<P>;
  /** Its parameters; the caller owns them. */
  readonly params: P;
  /** Units of each layer that stayed. */
  readonly kept: KeptUnits;
}

/**
 * Cuts units out of a model: fewer neurons and channels, really smaller matrices, the same output.
 *
 * Equal to the model with the other units masked to zero (`unitMasks`), up to the order of summation. Of a model that was
 * pruned weight by weight, it removes what became unreachable.
 *
 * @param model A chain of `@frugal/nn` layers (`mlp`, `lenet300`, `lenet5`, `sequential`). Other modules in it stay as they are.
 * @param params Its parameters; they stay the caller's.
 * @throws {FrugalError} `NOT_PRUNABLE` if there are no two layers to cut between, `BAD_OPTION` for units that do not exist.
 */
export async function compact<P extends Tree>(
  model: Staged<P>,
  params: P,
  options: CompactOptions,
): Promise<Compacted<P>> {
  const links = linksOf(model as unknown as AnyModule);
  const kept = options.kept ?? (await removableUnits(links, params));
  checkKept(links, kept);
  const outputs = new Map<string, readonly number[]>();
  const inputs = new Map<string, readonly number[]>();
  for (const link of links) {
    const units = kept[link.from.path];
    if (units === undefined) continue;
    outputs.set(link.from.path, units);
    inputs.set(link.to.path, inputsOf(link, units));
  }
  const rebuilt = rebuild(model as unknown as AnyModule, '', { inputs, outputs, nn: options.nn });
  return { model: rebuilt as unknown as Staged<P>, params: cutParams(params, inputs, outputs), kept };
}

/** The inputs of the next layer that belong to these units: flattened maps have the channel as their last axis. */
function inputsOf({ from, positions }: Link, units: readonly number[]): number[] {
  return Array.from({ length: positions }, (_, at) => units.map((unit) => at * from.units + unit)).flat();
}

function checkKept(links: readonly Link[], kept: KeptUnits): void {
  const nodes = new Map(links.map(({ from }) => [from.path, from]));
  for (const [path, units] of Object.entries(kept)) {
    const node = nodes.get(path);
    const rising = units.every((unit, i) => Number.isInteger(unit) && unit >= 0 && (i === 0 || unit > units[i - 1]!));
    if (node !== undefined && rising && units.length > 0 && units.at(-1)! < node.units) continue;
    const got = node === undefined ? `those are ${[...nodes.keys()].join(', ')}` : `got [${units.slice(0, 8)}]`;
    throw new FrugalError(
      'BAD_OPTION',
      `kept: '${path}' must be a layer whose units can be cut, with ascending indices of at least one unit; ${got}.`,
    );
  }
}

function cutParams<P extends Tree>(
  params: P,
  inputs: ReadonlyMap<string, readonly number[]>,
  outputs: ReadonlyMap<string, readonly number[]>,
): P {
  const leaves = treeEntries(params).map(([path, leaf]) => {
    const dot = path.lastIndexOf('.');
    const [layer, name] = [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)];
    const [ins, outs] = [name === 'weight' ? inputs.get(layer) : undefined, outputs.get(layer)];
    return tf.tidy(() => {
      let cut = leaf as tf.Tensor;
      // A weight is […, in, out]: the last axis are the units, the one before it the inputs.
      if (outs !== undefined) cut = take(cut, outs, cut.rank - 1);
      if (ins !== undefined) cut = take(cut, ins, cut.rank - 2);
      return cut === leaf ? cut.clone() : cut;
    });
  });
  return treeUnflatten(params, leaves);
}

/** gather along an axis, by whole rows: stock wasm's gather is slow. */
function take(x: tf.Tensor, indices: readonly number[], axis: number): tf.Tensor {
  const order = [axis, ...x.shape.keys()].filter((other, i) => i === 0 || other !== axis);
  const first = axis === 0 ? x : tf.transpose(x, order);
  const picked = gatherRows(first, Int32Array.from(indices));
  if (axis === 0) return picked;
  return tf.transpose(
    picked,
    [...x.shape.keys()].map((own) => order.indexOf(own)),
  );
}

interface Plan {
  readonly inputs: ReadonlyMap<string, readonly number[]>;
  readonly outputs: ReadonlyMap<string, readonly number[]>;
  readonly nn: LayerMakers;
}

/** The module again, with the sizes that are left. */
function rebuild(module: AnyModule, path: string, plan: Plan): AnyModule {
  const { nn } = plan;
  const spec = specFrom(module);
  switch (spec?.kind) {
    case 'sequential': {
      const children = spec.children.map(
        ([name, child]) => [name, rebuild(child, joinPath(path, name), plan)] as const,
      );
      const byPosition = children.every(([name], i) => name === String(i));
      return nn.sequential(byPosition ? children.map(([, child]) => child) : Object.fromEntries(children)) as AnyModule;
    }
    case 'wrap': {
      const inner = rebuild(spec.module, path, plan);
      if (inner === spec.module) return module;
      const fused = asConvReluPool(inner, spec, nn);
      return fused ?? (nn.wrap(inner, { before: spec.before as never, after: spec.after as never }) as AnyModule);
    }
    case 'dense': {
      const [ins, outs] = [plan.inputs.get(path), plan.outputs.get(path)];
      if (ins === undefined && outs === undefined) return module;
      const { inFeatures, outFeatures, bias } = spec;
      return nn.dense(ins?.length ?? inFeatures, outs?.length ?? outFeatures, { bias }) as unknown as AnyModule;
    }
    case 'conv2d': {
      const [ins, outs] = [plan.inputs.get(path), plan.outputs.get(path)];
      if (ins === undefined && outs === undefined) return module;
      const { inChannels, outChannels, kernelSize, strides, padding, dilation, bias } = spec;
      const options = { strides, padding: padding as 'valid', dilation, bias };
      return nn.conv2d(
        ins?.length ?? inChannels,
        outs?.length ?? outChannels,
        kernelSize,
        options,
      ) as unknown as AnyModule;
    }
    default:
      return module;
  }
}

/** conv → relu → maxPool as the layer that runs them in one kernel, where that is what they are. */
function asConvReluPool(
  inner: AnyModule,
  wrap: Extract<Spec, { kind: 'wrap' }>,
  nn: LayerMakers,
): AnyModule | undefined {
  const conv = specFrom(inner);
  const [first, second] = wrap.after.map(specFrom);
  if (conv?.kind !== 'conv2d' || wrap.before.length > 0 || wrap.after.length !== 2) return undefined;
  if (first?.kind !== 'activation' || first.activation !== 'relu' || second?.kind !== 'maxPool2d') return undefined;
  const { padding } = conv;
  const square = (pair: readonly [number, number]): boolean => pair[0] === pair[1];
  const windows = second.padding === 'valid' && String(second.poolSize) === String(second.strides);
  const plain = conv.bias && square(conv.strides) && String(conv.dilation) === '1,1';
  if (!windows || !plain || !square(second.poolSize) || (padding !== 'same' && padding !== 'valid')) return undefined;
  const options = { strides: conv.strides[0], padding, pool: second.poolSize[0] };
  const layer: Layer<Tree> = nn.convReluPool2d(conv.inChannels, conv.outChannels, conv.kernelSize, options) as never;
  return layer;
}
