import {
  countAbove,
  FrugalError,
  hasKernel,
  interpret,
  type KernelAttrs,
  type KernelHandler,
  KernelName,
} from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { rectifierOf } from './kernels.ts';
import { type ActivationReport, reportOf } from './report.ts';
import { countOnHost, layoutOf, Tally } from './tally.ts';

/** Options of `createProbe` and `probeActivations`. */
export interface ProbeOptions {
  /**
   * Which kernels' outputs are looked at: the name of the activation, or undefined to pass. Default `rectifierOf`: ReLU and
   * ReLU6, alone and fused. `(kernel) => (kernel === 'Multiply' ? 'product' : undefined)` watches a gated layer.
   */
  select?: (kernel: string, attrs: KernelAttrs) => string | undefined;
  /** Magnitudes up to here count as zero, for activations that are only near it (CATS 2404.08763, TEAL 2408.14690). Default 0: zeros. */
  threshold?: number;
  /** Examples in a batch, where tokens were flattened into the first axis. Default: the size of the first axis. */
  examples?: number;
  /**
   * Whether to keep the share per example and per token. Default true; `'pixels'` keeps it per pixel of images too, which may be thousands
   * an image.
   */
  distributions?: boolean | 'pixels';
  /** Whether to compute Hoyer's and the Gini index, per example; costs a sort of every activation. Default false. */
  measures?: boolean;
}

/** Counts the zeros that a program's activations have, over many passes. */
export interface Probe {
  /**
   * Runs one pass of `fn`, synchronous or asynchronous, and watches it. Returns what `fn` returns.
   *
   * The n-th activation of every pass is taken for the same layer.
   */
  run<R>(fn: () => R): R;
  /** What all passes since the last `reset` showed; waits until their values were read. */
  read(): Promise<ActivationReport>;
  reset(): void;
}

interface Layer {
  readonly kernel: string;
  readonly activation: string;
  shape: readonly number[];
  readonly tally: Tally;
  /** Settles when all its passes were counted, in their order. */
  counted: Promise<void>;
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as { then?: unknown } | null)?.then === 'function';

/**
 * A probe for the share of zeros in the activations of any tfjs program: a function, a `Module`, a `LayersModel`.
 *
 * It looks at the outputs of rectifying kernels; the program is not changed. "Sparsity" is the share of zeros.
 * What conv+relu+pool in one kernel gives is seen after its pooling; without that kernel the rectifier's output is, before it.
 *
 * @throws {FrugalError} `BAD_OPTION` for a negative threshold or an `examples` that is no positive integer.
 */
export function createProbe(options: ProbeOptions = {}): Probe {
  const { select = rectifierOf, threshold = 0, examples, distributions = true, measures = false } = options;
  if (!(threshold >= 0)) throw new FrugalError('BAD_OPTION', `probe: threshold must be at least 0, got ${threshold}.`);
  if (examples !== undefined && !(Number.isInteger(examples) && examples > 0)) {
    throw new FrugalError('BAD_OPTION', `probe: examples must be a positive integer, got ${examples}.`);
  }
  let layers: Layer[] = [];

  /** Starts reading `y`; values arrive later, its layer is known now. */
  function note(index: number, kernel: string, activation: string, y: tf.Tensor): void {
    // tfjs puts a batch axis of one in front of its fused products.
    const shape = kernel === '_FusedMatMul' && y.rank === 3 && y.shape[0] === 1 ? y.shape.slice(1) : y.shape;
    const layout = layoutOf(shape, examples);
    let layer = layers[index];
    if (layer === undefined) {
      layer = { kernel, activation, shape, tally: new Tally(), counted: Promise.resolve() };
      layers[index] = layer;
    } else if (layer.kernel !== kernel) {
      throw new FrugalError(
        'PROBE_MISMATCH',
        `probe: activation ${index} is the output of ${kernel}, but was ${layer.kernel}'s in the first pass. ` +
          'Run one model with one probe; call reset() before another one.',
      );
    }
    layer.shape = shape;
    const { tally, counted } = layer;
    const { examples: count, positions, units } = layout;
    const byPosition = positions > 1 && (distributions === 'pixels' || (distributions && shape.length < 4));
    const noted = { layout, byPosition, byExample: distributions !== false };
    // The order of the passes is kept by waiting for the one before.
    if (measures || !hasKernel(KernelName.CountAbove)) {
      layer.counted = Promise.all([y.data(), counted]).then(([data]) => {
        tally.add(countOnHost(data as Float32Array, units, threshold), noted);
        if (measures) tally.measure(data as Float32Array, layout);
      });
    } else {
      // A copy of every activation would cost more than counting; nor are counts of pixels read that nobody asked for.
      const counts = tf.tidy(() => {
        const rows = byPosition || positions === 1 ? y : tf.reshape(y, [count, positions * units]);
        return countAbove(rows, { threshold }).map((one) => tf.keep(one));
      });
      layer.counted = Promise.all([...counts.map((one) => one.data()), counted]).then(([alive, active]) => {
        tf.dispose(counts);
        tally.add({ alive: alive as Int32Array, active: active as Int32Array }, noted);
      });
    }
    layer.counted.catch(() => {}); // `read` throws it
  }

  return {
    run<R>(fn: () => R): R {
      let index = 0;
      const handler: KernelHandler = {
        kernel(name, inputs, attrs, next) {
          const out = next(name, inputs, attrs);
          const activation = select(name, attrs);
          if (activation !== undefined) note(index++, name, activation, Array.isArray(out) ? out[0]! : out);
          return out;
        },
      };
      return interpret(handler, fn);
    },
    async read() {
      await Promise.all(layers.map(({ counted }) => counted));
      return reportOf(layers, measures);
    },
    reset() {
      layers = [];
    },
  };
}

/**
 * Runs a program once and reports which share of its activations is zero, by layer, example, token and unit.
 *
 * @param fn The program, synchronous or asynchronous; what it returns is disposed if it is a tensor or a tree of them.
 * @throws {FrugalError} `NO_ACTIVATIONS` if no watched kernel ran.
 */
export async function probeActivations(fn: () => unknown, options: ProbeOptions = {}): Promise<ActivationReport> {
  const probe = createProbe(options);
  const result = probe.run(fn);
  const settled = isPromise(result) ? await result : result;
  const report = await probe.read();
  tf.dispose(settled as tf.TensorContainer);
  if (report.layers.length > 0) return report;
  throw new FrugalError(
    'NO_ACTIVATIONS',
    'probeActivations: no rectifying kernel ran. For other activations say with select which kernels to watch, and from ' +
      'which threshold on a value counts.',
  );
}
