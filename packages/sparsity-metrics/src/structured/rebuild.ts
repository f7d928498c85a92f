import type { AnyModule, Layer, Spec } from '@frugal/nn';
import { type Tree, treeEntries, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { joinPath, type Link, specFrom } from './chain.ts';
import { takeAlong } from './take-along.ts';

/** The makers of layers, as `@frugal/nn` exports them: pass the package itself, `import * as nn from '@frugal/nn'`. */
export type LayerMakers = Pick<
  typeof import('@frugal/nn'),
  'conv2d' | 'convReluPool2d' | 'dense' | 'sequential' | 'wrap'
>;

/** Inputs and outputs that layers have afterwards, by path: indices of those from before, which may repeat. */
export interface Plan {
  readonly inputs: ReadonlyMap<string, readonly number[]>;
  readonly outputs: ReadonlyMap<string, readonly number[]>;
  readonly nn: LayerMakers;
}

/** The plan in which each link has these units, by path of the layer that they belong to. */
export function planOf(
  links: readonly Link[],
  units: Readonly<Record<string, readonly number[]>>,
  nn: LayerMakers,
): Plan {
  const outputs = new Map<string, readonly number[]>();
  const inputs = new Map<string, readonly number[]>();
  for (const { from, to, positions } of links) {
    const own = units[from.path];
    if (own === undefined) continue;
    outputs.set(from.path, own);
    // Flattened maps have the channel as their last axis.
    inputs.set(to.path, Array.from({ length: positions }, (_, at) => own.map((unit) => at * from.units + unit)).flat());
  }
  return { inputs, outputs, nn };
}

/** Parameters for the layers of a plan. */
export function replanParams<P extends Tree>(params: P, { inputs, outputs }: Omit<Plan, 'nn'>): P {
  const leaves = treeEntries(params).map(([path, leaf]) => {
    const dot = path.lastIndexOf('.');
    const [layer, name] = [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)];
    const [ins, outs] = [name === 'weight' ? inputs.get(layer) : undefined, outputs.get(layer)];
    return tf.tidy(() => {
      let cut = leaf as tf.Tensor;
      // A weight is […, in, out]: the last axis are the units, the one before it the inputs.
      if (outs !== undefined) cut = takeAlong(cut, outs, cut.rank - 1);
      if (ins !== undefined) cut = takeAlong(cut, ins, cut.rank - 2);
      return cut === leaf ? cut.clone() : cut;
    });
  });
  return treeUnflatten(params, leaves);
}

/** The module again, with the sizes that are left. */
export function rebuild(module: AnyModule, path: string, plan: Plan): AnyModule {
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
