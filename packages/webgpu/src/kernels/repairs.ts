import * as tf from '@tensorflow/tfjs-core';
import { dispatch } from './dispatch.ts';
import { elementwise } from './elementwise.ts';
import { isEmulated } from './emulated.ts';
import { filled } from './filled.ts';
import { over, type Registration } from './over.ts';
import { scans } from './scan.ts';
import { sumRows } from './sum-rows.ts';
import { integerTranspose, isStockTransposable, transpose } from './transpose.ts';

/** Taylor's series where e^x − 1 would cancel. */
const EXPM1 = `let t = x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666668 + x * (0.008333334 + x * (0.0013888889 + x * (0.0001984127 + x * 0.000024801588)))))));
  result[i] = select(exp(x) - 1.0, t, abs(x) < 0.5);`;

/** ln(1 + x) = 2 artanh(x / (2 + x)) where 1 + x would lose digits. */
const LOG1P = `let s = x / (2.0 + x);
  let q = s * s;
  let t = 2.0 * s * (1.0 + q * (0.33333334 + q * (0.2 + q * (0.14285715 + q * (0.11111111 + q * 0.09090909)))));
  result[i] = select(log(1.0 + x), t, abs(x) < 0.4);`;

function unary(name: string, code: string): Registration {
  return over(name, (stock) => (call) => {
    const a = call.inputs['x']!;
    return a.dtype === 'float32' ? elementwise(call.backend, name, { a }, code) : stock(call);
  });
}

/** The stock kernel shares the integers and calls them floats, on which other kernels (transposing ones, ours) rely in vain. */
const castToFloat = over('Cast', (stock) => (call) => {
  const a = call.inputs.x!;
  if (call.attrs.dtype !== 'float32' || (a.dtype !== 'int32' && a.dtype !== 'bool')) return stock(call);
  return elementwise(call.backend, `Cast ${a.dtype}`, { a }, 'result[i] = f32(x);');
});

/** Of a vector the stock kernel makes a vector of one number. */
function argument(name: string): Registration {
  return over(name, (stock) => (call) => {
    const index = stock(call) as tf.TensorInfo;
    return call.inputs['x']!.shape.length === 1 ? { ...index, shape: [] } : index;
  });
}

/** The stock kernel is wrong from the second image on: here every pixel sums over what was read from it. */
const NEAREST = `
fn source(i: u32, ratio: f32, size: u32) -> u32 { return min(size - 1u, u32(floor(f32(i) * ratio + u.round))); }
fn main(id: Ids) {
  let i = threadIndex(id);
  if (i >= u.n) { return; }
  let c = i % u.channels;
  let column = i / u.channels % u.width;
  let row = i / u.channels / u.width % u.height;
  let image = i / u.channels / u.width / u.height;
  let top = u32(max(0.0, floor((f32(row) - 1.0) / u.tall) - 1.0));
  let bottom = min(u.outHeight, u32((f32(row) + 1.0) / u.tall + 2.0));
  let left = u32(max(0.0, floor((f32(column) - 1.0) / u.wide) - 1.0));
  let right = min(u.outWidth, u32((f32(column) + 1.0) / u.wide + 2.0));
  var sum = 0.0;
  for (var y = top; y < bottom; y++) {
    if (source(y, u.tall, u.height) != row) { continue; }
    for (var x = left; x < right; x++) {
      if (source(x, u.wide, u.width) == column) { sum += dy[((image * u.outHeight + y) * u.outWidth + x) * u.channels + c]; }
    }
  }
  result[i] = sum;
}`;

const nearestGradient = over('ResizeNearestNeighborGrad', (stock) => (call) => {
  const { images, dy } = call.inputs as Record<'images' | 'dy', tf.TensorInfo>;
  if (dy.dtype !== 'float32') return stock(call);
  const corners = call.attrs['alignCorners'] === true;
  const [, height, width, channels] = images.shape as [number, number, number, number];
  const [, outHeight, outWidth] = dy.shape as [number, number, number, number];
  const less = (size: number, out: number): number => (corners && out > 1 ? size - 1 : size);
  // A ratio of 0 (one row, corners aligned) reads row 0 only: any small one does the same.
  const ratio = (size: number, out: number): number =>
    Math.max(less(size, out) / (corners && out > 1 ? out - 1 : out), 1e-3 / out);
  const result = call.backend.makeTensorInfo(images.shape, 'float32');
  const n = tf.util.sizeFromShape(images.shape);
  dispatch(call.backend, {
    key: 'frugal ResizeNearestNeighborGrad',
    code: () => NEAREST,
    writes: { result },
    reads: { dy },
    uniforms: [
      ['n', 'u32', n],
      ['height', 'u32', height],
      ['width', 'u32', width],
      ['channels', 'u32', channels],
      ['outHeight', 'u32', outHeight],
      ['outWidth', 'u32', outWidth],
      ['tall', 'f32', ratio(height, outHeight)],
      ['wide', 'f32', ratio(width, outWidth)],
      ['round', 'f32', corners ? 0.5 : 0],
    ],
    workgroups: Math.ceil(n / 64),
    workgroupSize: 64,
  });
  return result;
});

const isSumOfRows = (device: GPUDevice, x: tf.TensorInfo, axes: readonly number[]): boolean =>
  isEmulated(device) && x.dtype === 'float32' && axes.length < x.shape.length && Math.max(...axes) === axes.length - 1;

/**
 * A reduction over nothing gives `nothing` (the stock kernels ask the device for a buffer of no size), and one of integers
 * over other axes than the last ones works, too (the stock kernels transpose them by a program that does not compile).
 */
function reduction(name: string, nothing: number): Registration {
  return over(name, (stock) => (call) => {
    const x = call.inputs.x!;
    const { axis, keepDims } = call.attrs as { axis?: number | number[]; keepDims?: boolean };
    const axes = tf.util.parseAxisParam(axis as number[], x.shape);
    const kept = x.shape.flatMap((_, i) => (axes.includes(i) ? [] : [i]));
    const shape = x.shape.flatMap((size, i) => (axes.includes(i) ? (keepDims === true ? [1] : []) : [size]));
    if (tf.util.sizeFromShape(x.shape) === 0) return filled(call.backend, shape, nothing);
    if (name === 'Sum' && isSumOfRows(call.backend.device, x, axes))
      return sumRows(call.backend, x, axes.length, shape);
    const inner = tf.backend_util.getInnerMostAxes(axes.length, x.shape.length);
    if (isStockTransposable(x) || tf.util.arraysEqual(axes.toSorted(), inner)) return stock(call);
    const turned = transpose(call.backend, x, [...kept, ...axes]);
    const result = stock({ ...call, inputs: { x: turned }, attrs: { ...call.attrs, axis: inner } }) as tf.TensorInfo;
    call.backend.disposeData(turned.dataId);
    return { ...result, shape };
  });
}

/** tfjs's kernels that are wrong on WebGPU and that models use. */
export const repairs: readonly Registration[] = [
  argument('ArgMax'),
  argument('ArgMin'),
  unary('Expm1', EXPM1),
  unary('Log1p', LOG1P),
  nearestGradient,
  reduction('Sum', 0),
  reduction('Prod', 1),
  reduction('Mean', Number.NaN),
  reduction('Max', Number.NEGATIVE_INFINITY),
  reduction('Min', Number.POSITIVE_INFINITY),
  integerTranspose,
  castToFloat,
  ...scans,
];
