import * as tf from '@tensorflow/tfjs-core';
import { type BackendName, backendByName } from './providers.ts';
import { useBackend } from './use-backend.ts';

/** What a backend showed when it was tried. */
export interface Probe {
  readonly name: BackendName;
  readonly works: boolean;
  /** Why it works or not. */
  readonly reason: string;
  /** What would make it work. */
  readonly fix?: string;
  /** Whether its device is emulated, so that `'auto'` passes it over. */
  readonly software?: boolean;
  /** Billions of floating point operations per second in products of matrices, 2 per multiply-add. */
  readonly gflops?: number;
  /** Which kinds of networks have all kernels for training; what is missing otherwise. */
  readonly trains?: Readonly<Record<'dense' | 'conv' | 'embedding', true | string>>;
}

const SIZE = 512;
const BUDGET_MS = 400;

/** Products of 512 × 512 matrices, waited for; the result is checked, as a broken device may give zeros. */
async function gflops(): Promise<number> {
  const values = Float32Array.from({ length: SIZE * SIZE }, (_, i) => ((i * 7) % 13) / 13 - 0.5);
  const [a, b] = [tf.tensor2d(values, [SIZE, SIZE]), tf.tensor2d(values, [SIZE, SIZE])];
  const run = async (count: number): Promise<number> => {
    const start = performance.now();
    let last: tf.Tensor | undefined;
    for (let i = 0; i < count; i++) {
      last?.dispose();
      last = tf.matMul(a, b);
    }
    const product = await last!.data();
    last!.dispose();
    const expected = values.slice(0, SIZE).reduce((sum, x, k) => sum + x * values[k * SIZE]!, 0);
    if (!(Math.abs(product[0]! - expected) < 1e-2))
      throw new Error(`A product is wrong: ${product[0]} for ${expected}.`);
    return performance.now() - start;
  };
  let best = (await run(1)) && (await run(1));
  const count = Math.max(1, Math.min(50, Math.floor(BUDGET_MS / 4 / best)));
  for (const end = performance.now() + BUDGET_MS; performance.now() < end; )
    best = Math.min(best, (await run(count)) / count);
  tf.dispose([a, b]);
  return (2 * SIZE ** 3) / best / 1e6;
}

async function tryGradient(f: (w: tf.Tensor) => tf.Tensor, shape: number[]): Promise<true | string> {
  const scope = tf.engine();
  scope.startScope();
  try {
    await tf.grad(f)(tf.ones(shape)).data();
    return true;
  } catch (error) {
    return /Kernel '(\w+)' not registered/.exec((error as Error).message)?.[1] ?? (error as Error).message;
  } finally {
    scope.endScope();
  }
}

async function trains(): Promise<Probe['trains'] & object> {
  const image = (): tf.Tensor4D => tf.ones([1, 4, 4, 1]);
  const conv = (w: tf.Tensor): tf.Tensor =>
    tf.maxPool(tf.relu(tf.conv2d(image(), w as tf.Tensor4D, 1, 'same')), 2, 2, 'same');
  return {
    dense: await tryGradient((w) => tf.relu(tf.matMul(tf.ones([2, 3]), w)), [3, 2]),
    conv: await tryGradient(conv, [2, 2, 1, 1]),
    embedding: await tryGradient((w) => tf.gather(w, tf.tensor1d([1, 0, 1], 'int32')), [3, 2]),
  };
}

/** Starts a backend in this process and tries it: a product, its speed, three small gradients. */
export async function probe(name: BackendName): Promise<Probe> {
  const report = await (await backendByName(name)).describe();
  const { reason, fix } = report;
  const software = report.details.software === true;
  if (!report.available) return { name, works: false, reason, ...(fix !== undefined && { fix }) };
  try {
    const started = await useBackend(name);
    return { name, works: true, reason: started.reason, software, gflops: await gflops(), trains: await trains() };
  } catch (error) {
    return { name, works: false, reason: (error as Error).message, ...(fix !== undefined && { fix }) };
  }
}
