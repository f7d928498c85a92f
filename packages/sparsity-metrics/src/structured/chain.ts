import type { AnyModule, Layer, Spec } from '@frugal/nn';
import { FrugalError, type Tree } from '@frugal/tensor';

type DenseSpec = Extract<Spec, { kind: 'dense' }>;
type Conv2dSpec = Extract<Spec, { readonly inChannels: number }>;

/** A dense or convolutional layer whose units may be cut. */
export interface LinearNode {
  readonly kind: 'linear';
  /** Where its parameters stand, e.g. `'fc1'`; `''` for the top. */
  readonly path: string;
  readonly spec: DenseSpec | Conv2dSpec;
  readonly inputs: number;
  readonly units: number;
}

/** What stands between linear layers: keeps units apart, folds them into features, or mixes them and is left as it is. */
export type ChainNode = LinearNode | { readonly kind: 'keeps' | 'flatten' | 'barrier'; readonly path: string };

/** Activations with f(0) = 0 that work on each unit alone: a unit that is always 0 before is 0 after. */
const zeroAtZero: ReadonlySet<string> = new Set([
  'relu',
  'relu6',
  'leakyRelu',
  'elu',
  'selu',
  'gelu',
  'geluExact',
  'silu',
  'tanh',
  'linear',
]);

const unitwise: ReadonlySet<string> = new Set(['maxPool2d', 'avgPool2d', 'globalAvgPool', 'globalMaxPool', 'dropout']);

/** The spec of a module, or undefined where it does not say what it is. */
export const specFrom = (module: AnyModule): Spec | undefined => (module as Partial<Layer<Tree>>).spec;

export const joinPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

/** A model as a chain of linear layers and what stands between them. */
export function chainOf(module: AnyModule, path = ''): ChainNode[] {
  const spec = specFrom(module);
  switch (spec?.kind) {
    case 'sequential':
      return spec.children.flatMap(([name, child]) => chainOf(child, joinPath(path, name)));
    case 'wrap':
      return [...spec.before, spec.module, ...spec.after].flatMap((link) => chainOf(link, path));
    case 'dense':
      return [{ kind: 'linear', path, spec, inputs: spec.inFeatures, units: spec.outFeatures }];
    case 'conv2d':
      return [{ kind: 'linear', path, spec: spec as Conv2dSpec, inputs: spec.inChannels, units: spec.outChannels }];
    case 'flatten':
      return [{ kind: 'flatten', path }];
    case 'activation':
      return [{ kind: zeroAtZero.has(spec.activation) ? 'keeps' : 'barrier', path }];
    default:
      return [{ kind: spec !== undefined && unitwise.has(spec.kind) ? 'keeps' : 'barrier', path }];
  }
}

/** A linear layer whose units one other linear layer reads, and nothing else. */
export interface Link {
  readonly from: LinearNode;
  readonly to: LinearNode;
  /** Inputs of `to` per unit of `from`, one after another per position: 1, or more where maps were flattened. */
  readonly positions: number;
}

/**
 * The pairs of layers between which units can be cut.
 *
 * @throws {FrugalError} `NOT_PRUNABLE` if there is none.
 */
export function linksOf(module: AnyModule): Link[] {
  const links: Link[] = [];
  let from: LinearNode | undefined;
  let flattened = false;
  for (const node of chainOf(module)) {
    if (node.kind === 'barrier') from = undefined;
    else if (node.kind === 'flatten') flattened = true;
    else if (node.kind === 'linear') {
      const fits = from !== undefined && (node.inputs === from.units || (flattened && node.inputs % from.units === 0));
      if (fits) links.push({ from: from!, to: node, positions: node.inputs / from!.units });
      from = node;
      flattened = false;
    }
  }
  if (links.length > 0) return links;
  throw new FrugalError(
    'NOT_PRUNABLE',
    'The model has no two dense or conv2d layers with only activations, pooling or flatten between them, of which it says ' +
      'so in its spec. Build it with sequential, wrap and the layers of @frugal/nn.',
  );
}
