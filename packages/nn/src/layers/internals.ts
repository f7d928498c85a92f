import type { Tensor } from '@tensorflow/tfjs-core';
import type * as tfl from '@tensorflow/tfjs-layers';

/** What of tfjs-layers 4.22 this folder reaches into: its types hide these members. */
export interface VariableInternals {
  val: Tensor;
  readonly originalName: string;
  readonly shape: (number | null)[];
  readonly trainable: boolean;
  read(): Tensor;
  write(value: Tensor): unknown;
}

/** The call of a layer, which may stand on the instance instead of the prototype. */
export type LayerCall = (inputs: Tensor | Tensor[], kwargs: Record<string, unknown>) => Tensor | Tensor[];

/** Members of layers, wrappers, recurrent layers and cells. */
export interface LayerInternals {
  readonly name: string;
  readonly trainable: boolean;
  readonly stateful?: boolean;
  readonly maskZero?: boolean;
  readonly weights: VariableInternals[];
  readonly trainableWeights: VariableInternals[];
  getClassName(): string;
  call: LayerCall;
  /** A nested model's layers. */
  readonly layers?: LayerInternals[];
  /** What TimeDistributed wraps. */
  readonly layer?: LayerInternals;
  readonly forwardLayer?: LayerInternals;
  readonly backwardLayer?: LayerInternals;
  readonly cell?: LayerInternals;
  readonly cells?: LayerInternals[];
  // Recurrent cells.
  dropoutFunc?: ((ones: Tensor, rate: number) => Tensor) | undefined;
  dropoutMask?: Tensor | Tensor[] | null;
  recurrentDropoutMask?: Tensor | Tensor[] | null;
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  // Layers with noise.
  readonly rate?: number;
  readonly stddev?: number;
  getNoiseShape?(input: Tensor): number[] | null | undefined;
  readonly noiseShape?: number[];
  // Batch normalization.
  readonly axis?: number;
  readonly momentum?: number;
  readonly epsilon?: number;
  readonly gamma?: VariableInternals | null;
  readonly beta?: VariableInternals | null;
  readonly movingMean?: VariableInternals;
  readonly movingVariance?: VariableInternals;
}

/** A layer or model seen with its hidden members. */
export function internals(layer: tfl.layers.Layer | tfl.LayersModel): LayerInternals {
  return layer as unknown as LayerInternals;
}

/** The layer itself and everything inside of it: nested models, wrapped layers, cells; the order is fixed. */
export function partsOf(layer: LayerInternals): LayerInternals[] {
  const { forwardLayer, backwardLayer } = layer;
  // A Bidirectional's `layer` is a third copy that never runs.
  const wrapped = forwardLayer && backwardLayer ? [forwardLayer, backwardLayer] : layer.layer ? [layer.layer] : [];
  const inner = [...(layer.layers ?? []), ...wrapped, ...(layer.cell ? [layer.cell] : []), ...(layer.cells ?? [])];
  return [layer, ...inner.flatMap(partsOf)];
}
