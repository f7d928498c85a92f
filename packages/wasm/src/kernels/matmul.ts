import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import { bits, type Runtime } from '../runtime/runtime.ts';
import { allFloat, type KernelCall, over, type Registration } from './over.ts';

/** Numbers of the activations in assembly/math.ts. */
export const ACTIVATION: Readonly<Record<string, number>> = {
  linear: 0,
  relu: 1,
  relu6: 2,
  elu: 3,
  leakyrelu: 4,
  sigmoid: 5,
  tanh: 6,
  gelu: 7,
};

/** One matrix product over addresses; leading dimensions and strides in elements. */
export interface Product {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly lda?: number;
  readonly ldb?: number;
  readonly ldc?: number;
  /** Adds to what C holds. */
  readonly add?: boolean;
  readonly alpha?: number;
  /** Address of a row that is added to each row, 0: none. */
  readonly bias?: number;
  readonly activation?: number;
  readonly activationParameter?: number;
  readonly batches?: number;
  readonly strideA?: number;
  readonly strideB?: number;
  /** A row of `GROUP_WORDS` per batch where strides do not say it; `m`, `n`, `k` then say how much work it is on average. */
  readonly groups?: ArrayLike<number>;
}

/** Words per batch in `groups`: offsets of A, B, C and the bias in elements, M, N and K. */
export const GROUP_WORDS = 7;

/** Of groups; what is left of many is shared out in stretches. */
const MOST_CHUNKS = 256;

const COLUMNS = 0;
const ROWS = 1;
const FEW_ROWS = 2;
const FEW_COLUMNS = 3;

function pathOf(m: number, n: number, k: number): number {
  // Eight rows of a wide matrix still cost less to stream than to pack.
  if (m <= (n < 64 ? 4 : 8) && m <= n) return FEW_ROWS;
  if (n <= 4) return FEW_COLUMNS;
  // The shorter side is packed by every chunk.
  return n >= m || m * k === 0 ? COLUMNS : ROWS;
}

/** C (+)= act(alpha · op(A) · op(B) + bias), the product of all packages' dense work. */
export function multiply(runtime: Runtime, product: Product): void {
  const { transposeA, transposeB, m, n, k, a, b, c, batches = 1, groups } = product;
  if (m * n * batches === 0) return;
  const path = groups === undefined ? pathOf(m, n, k) : COLUMNS;
  const table = groups === undefined ? 0 : runtime.table(groups);
  const units = Math.ceil((path === COLUMNS || path === FEW_ROWS ? n : m) / 16);
  const wanted = runtime.chunks(m * n * k * batches, Number.POSITIVE_INFINITY);
  const whole = groups !== undefined || batches >= wanted;
  const parts = whole ? 1 : Math.max(1, Math.min(units, Math.ceil(wanted / batches)));
  // Groups differ in size: threads take them one by one.
  const chunks =
    parts > 1 ? parts * batches : Math.min(groups === undefined || wanted === 1 ? wanted : MOST_CHUNKS, batches);
  const flags = (transposeA ? 1 : 0) | (transposeB ? 2 : 0) | (product.add ? 4 : 0);
  const { lda = transposeA ? m : k, ldb = transposeB ? k : n, ldc = n, strideA = m * k, strideB = k * n } = product;
  const { bias = 0, activation = 0, activationParameter = 0, alpha = 1 } = product;
  ARGS[0] = flags;
  ARGS[1] = m;
  ARGS[2] = n;
  ARGS[3] = k;
  ARGS[4] = a;
  ARGS[5] = lda;
  ARGS[6] = b;
  ARGS[7] = ldb;
  ARGS[8] = c;
  ARGS[9] = ldc;
  ARGS[10] = bias;
  ARGS[11] = activation;
  ARGS[12] = activationParameter === 0 ? 0 : bits(activationParameter);
  ARGS[13] = alpha === 1 ? ONE : bits(alpha);
  ARGS[14] = batches;
  ARGS[15] = strideA;
  ARGS[16] = strideB;
  ARGS[17] = m * n;
  ARGS[18] = table;
  ARGS[19] = path;
  ARGS[20] = parts;
  runtime.run(Op.MatMul, ARGS, chunks);
}

/** One call at a time, so the arguments need not be allocated anew: small products are mostly overhead. */
const ARGS = new Int32Array(21);
const ONE = bits(1);

/** Where each batch of a general broadcast lies, e.g. [2, 1] against [1, 3]. */
function broadcastGroups(
  batch: readonly number[],
  a: readonly number[],
  b: readonly number[],
  m: number,
  n: number,
  k: number,
): Int32Array {
  const count = tf.util.sizeFromShape(batch as number[]);
  const groups = new Int32Array(GROUP_WORDS * count);
  for (let z = 0; z < count; z++) {
    const row = [placeOf(z, batch, a) * m * k, placeOf(z, batch, b) * k * n, z * m * n, 0, m, n, k];
    groups.set(row, z * GROUP_WORDS);
  }
  return groups;
}

/** The index within `shape` of element `z` of `batch`, to which `shape` is broadcast. */
function placeOf(z: number, batch: readonly number[], shape: readonly number[]): number {
  let rest = z;
  let index = 0;
  let step = 1;
  for (let axis = batch.length - 1; axis >= 0; axis--) {
    const extent = shape[axis - batch.length + shape.length] ?? 1;
    if (extent > 1) index += (rest % batch[axis]!) * step;
    rest = Math.floor(rest / batch[axis]!);
    step *= extent;
  }
  return index;
}

interface MatMulOptions {
  readonly bias?: tf.TensorInfo | undefined;
  readonly activation?: number;
  readonly activationParameter?: number;
}

/** How many matrices each operand holds if all leading axes are equal, else -1. */
function sameBatches(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return -1;
  let count = 1;
  for (let axis = 0; axis < a.length - 2; axis++) {
    if (a[axis] !== b[axis]) return -1;
    count *= a[axis]!;
  }
  return count;
}

/** tfjs's matmul of any rank, batch and transposition. */
export function matMul(
  runtime: Runtime,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
  { bias, activation = 0, activationParameter = 0 }: MatMulOptions = {},
): tf.TensorInfo {
  const [rankA, rankB] = [a.shape.length, b.shape.length];
  const [a0, a1] = [a.shape[rankA - 2]!, a.shape[rankA - 1]!];
  const [b0, b1] = [b.shape[rankB - 2]!, b.shape[rankB - 1]!];
  const m = transposeA ? a1 : a0;
  const k = transposeA ? a0 : a1;
  const n = transposeB ? b0 : b1;
  if (k !== (transposeB ? b1 : b0)) {
    throw new Error(
      `matMul: inner dimensions of [${a.shape}] and [${b.shape}] do not match (transposeA ${transposeA}, transposeB ${transposeB}).`,
    );
  }
  const biasAddress = bias === undefined ? 0 : runtime.address(bias);
  const same = sameBatches(a.shape, b.shape);
  if (same >= 0) {
    const shape = a.shape.slice();
    shape[rankA - 2] = m;
    shape[rankA - 1] = n;
    const out = runtime.output(shape);
    // A plain literal: spreading objects would cost more than a small product.
    multiply(runtime, {
      transposeA,
      transposeB,
      m,
      n,
      k,
      a: runtime.address(a),
      b: runtime.address(b),
      c: runtime.address(out),
      bias: biasAddress,
      activation,
      activationParameter,
      batches: same,
    });
    return out;
  }
  const batchA = a.shape.slice(0, -2);
  const batchB = b.shape.slice(0, -2);
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(batchA, batchB);
  const countA = tf.util.sizeFromShape(batchA);
  const countB = tf.util.sizeFromShape(batchB);
  const batches = tf.util.sizeFromShape(batch);
  const out = runtime.output([...batch, m, n]);
  const shared = {
    ...{ transposeA, transposeB, n, k, activation, activationParameter, bias: biasAddress },
    ...{ a: runtime.address(a), b: runtime.address(b), c: runtime.address(out) },
  };
  if (countB === 1 && !transposeA) {
    // One matrix for all batches: their rows are rows of one product.
    multiply(runtime, { ...shared, m: m * batches });
  } else if ((countA === batches || countA === 1) && (countB === batches || countB === 1)) {
    multiply(runtime, { ...shared, m, batches, strideA: countA === 1 ? 0 : m * k, strideB: countB === 1 ? 0 : k * n });
  } else {
    multiply(runtime, { ...shared, m, batches, groups: broadcastGroups(batch, batchA, batchB, m, n, k) });
  }
  return out;
}

/** A bias that is one row of the output; others are the stock kernel's. */
function isRow(bias: tf.TensorInfo | undefined, columns: number): boolean {
  return bias === undefined || (tf.util.sizeFromShape(bias.shape) === columns && bias.shape.at(-1) === columns);
}

export const matmulKernels: readonly Registration[] = [
  over('BatchMatMul', (runtime, stock) => (call: KernelCall) => {
    const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
    if (!allFloat(a, b)) return stock(call);
    return matMul(runtime, a, b, call.attrs['transposeA'] as boolean, call.attrs['transposeB'] as boolean);
  }),
  over('_FusedMatMul', (runtime, stock) => (call: KernelCall) => {
    const { a, b, bias, preluActivationWeights: slopes } = call.inputs as Record<string, tf.TensorInfo | undefined>;
    const { transposeA, transposeB, activation, leakyreluAlpha } = call.attrs as unknown as tf._FusedMatMulAttrs;
    const kind = ACTIVATION[activation === undefined || activation === 'prelu' ? 'linear' : activation];
    const columns = b!.shape.at(transposeB ? -2 : -1)!;
    if (!allFloat(a, b, bias) || kind === undefined || !isRow(bias, columns)) return stock(call);
    const activationParameter = leakyreluAlpha ?? 0.2;
    const out = matMul(runtime, a!, b!, transposeA, transposeB, { bias, activation: kind, activationParameter });
    if (activation !== 'prelu') return out;
    // The stock fusion is wrong where an operand is transposed: it takes the slopes of other columns.
    const { kernelFunc } = tf.getKernel('Prelu', 'wasm');
    const y = kernelFunc({ inputs: { x: out, alpha: slopes! }, attrs: {}, backend: runtime.backend });
    runtime.release(out);
    return y;
  }),
];
