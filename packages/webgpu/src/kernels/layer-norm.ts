import { KernelName, type LayerNormAttrs } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { dispatch } from './dispatch.ts';
import { expectFloat, over, type Registration } from './over.ts';
import { reduction, workgroupFor } from './reduce.ts';

/** Threads along the columns and along the rows where rows are summed. */
const COLUMNS = 16;
const ROWS = 16;

/** A workgroup per row: mean, variance about it, output. */
const forward = (size: number): string => `${reduction(size, ['sum'])}
fn main(id: Ids) {
  let row = groupIndex(id);
  let inside = row < u.rows;
  let at = select(0u, row * u.d, inside);
  var sum = 0.0;
  for (var c = id.local; c < u.d; c += ${size}u) { sum += x[at + c]; }
  let center = reduce_sum(sum, id.local) / f32(u.d);
  var squares = 0.0;
  for (var c = id.local; c < u.d; c += ${size}u) { let e = x[at + c] - center; squares += e * e; }
  let inverse = 1.0 / sqrt(reduce_sum(squares, id.local) / f32(u.d) + u.epsilon);
  if (!inside) { return; }
  for (var c = id.local; c < u.d; c += ${size}u) { y[at + c] = (x[at + c] - center) * inverse * scale[c] + offset[c]; }
  if (id.local == 0u) { mean[row] = center; rstd[row] = inverse; }
}`;

const byInput = (size: number): string => `${reduction(size, ['sum'])}
fn main(id: Ids) {
  let row = groupIndex(id);
  let inside = row < u.rows;
  let r = select(0u, row, inside);
  let at = r * u.d;
  var sum = 0.0;
  var along = 0.0;
  for (var c = id.local; c < u.d; c += ${size}u) {
    let g = dy[at + c] * scale[c];
    sum += g;
    along += g * (x[at + c] - mean[r]) * rstd[r];
  }
  sum = reduce_sum(sum, id.local) / f32(u.d);
  along = reduce_sum(along, id.local) / f32(u.d);
  if (!inside) { return; }
  for (var c = id.local; c < u.d; c += ${size}u) {
    dx[at + c] = rstd[r] * (dy[at + c] * scale[c] - sum - (x[at + c] - mean[r]) * rstd[r] * along);
  }
}`;

/** Columns side by side, rows in turns. */
const byWeights = `
var<workgroup> scales: array<f32, ${COLUMNS * ROWS}>;
var<workgroup> offsets: array<f32, ${COLUMNS * ROWS}>;
fn main(id: Ids) {
  let c = groupIndex(id) * ${COLUMNS}u + id.local % ${COLUMNS}u;
  var s = 0.0;
  var o = 0.0;
  if (c < u.d) {
    for (var r = id.local / ${COLUMNS}u; r < u.rows; r += ${ROWS}u) {
      let g = dy[r * u.d + c];
      o += g;
      s += g * (x[r * u.d + c] - mean[r]) * rstd[r];
    }
  }
  scales[id.local] = s;
  offsets[id.local] = o;
  workgroupBarrier();
  if (id.local >= ${COLUMNS}u || c >= u.d) { return; }
  for (var k = 1u; k < ${ROWS}u; k++) {
    s += scales[k * ${COLUMNS}u + id.local];
    o += offsets[k * ${COLUMNS}u + id.local];
  }
  dscale[c] = s;
  doffset[c] = o;
}`;

export const layerNormKernels: readonly Registration[] = [
  over(KernelName.LayerNorm, () => ({ inputs, attrs, backend }) => {
    const [x, scale, offset] = [inputs['x']!, inputs['scale']!, inputs['offset']!];
    expectFloat(KernelName.LayerNorm, x, scale, offset);
    const { epsilon } = attrs as unknown as LayerNormAttrs;
    const batch = x.shape.slice(0, -1);
    const d = x.shape.at(-1)!;
    const rows = tf.util.sizeFromShape(batch);
    const [y, mean, rstd] = [x.shape, batch, batch].map((shape) => backend.makeTensorInfo(shape, 'float32'));
    const size = workgroupFor(d);
    dispatch(backend, {
      key: `frugal ${KernelName.LayerNorm}`,
      code: () => forward(size),
      writes: { y: y!, mean: mean!, rstd: rstd! },
      reads: { x, scale, offset },
      uniforms: [
        ['rows', 'u32', rows],
        ['d', 'u32', d],
        ['epsilon', 'f32', epsilon],
      ],
      workgroups: d === 0 ? 0 : rows,
      workgroupSize: size,
    });
    return [y!, mean!, rstd!];
  }),
  over(KernelName.LayerNormGrad, () => ({ inputs, backend }) => {
    const [x, scale, mean, rstd, dy] = ['x', 'scale', 'mean', 'rstd', 'dy'].map((name) => inputs[name]!);
    expectFloat(KernelName.LayerNormGrad, x, scale, mean, rstd, dy);
    const d = x!.shape.at(-1)!;
    const rows = tf.util.sizeFromShape(x!.shape.slice(0, -1));
    const [dx, dscale, doffset] = [x!.shape, [d], [d]].map((shape) => backend.makeTensorInfo(shape, 'float32'));
    const size = workgroupFor(d);
    const uniforms = [
      ['rows', 'u32', rows],
      ['d', 'u32', d],
    ] as const;
    dispatch(backend, {
      key: `frugal ${KernelName.LayerNormGrad} x`,
      code: () => byInput(size),
      writes: { dx: dx! },
      reads: { x: x!, scale: scale!, mean: mean!, rstd: rstd!, dy: dy! },
      uniforms,
      workgroups: d === 0 ? 0 : rows,
      workgroupSize: size,
    });
    dispatch(backend, {
      key: `frugal ${KernelName.LayerNormGrad} weights`,
      code: () => byWeights,
      writes: { dscale: dscale!, doffset: doffset! },
      reads: { x: x!, mean: mean!, rstd: rstd!, dy: dy! },
      uniforms,
      workgroups: Math.ceil(d / COLUMNS),
      workgroupSize: COLUMNS * ROWS,
    });
    return [dx!, dscale!, doffset!];
  }),
];
