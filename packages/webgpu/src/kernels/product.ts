import * as tf from '@tensorflow/tfjs-core';
import { dispatch, type Internals, type Uniform } from './dispatch.ts';

/** Matrices of equal sizes in a product: op(a) [M, K] and op(b) [K, N]; `batch` of them, or one for all. */
export interface ProductSizes {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly batch: number;
  readonly oneA: boolean;
  readonly oneB: boolean;
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

/** One sum of products of matrices, with what is added to it and what is made of it. */
export interface ProductOutput {
  readonly target: tf.TensorInfo;
  /** Pairs of names in `left` and `right`. */
  readonly terms: readonly (readonly [left: string, right: string])[];
  /** The name of a vector [N]. */
  readonly bias?: string | undefined;
  readonly relu?: boolean;
}

export interface Product {
  readonly sizes: ProductSizes;
  readonly left: Readonly<Record<string, tf.TensorInfo>>;
  readonly right: Readonly<Record<string, tf.TensorInfo>>;
  readonly biases: Readonly<Record<string, tf.TensorInfo>>;
  readonly outputs: Readonly<Record<string, ProductOutput>>;
}

interface Tile {
  readonly rows: number;
  readonly columns: number;
  readonly width: number;
}

/**
 * A thread makes `rows` × `columns` numbers, the columns `width` apart: threads side by side read rows of b side by side
 * and the same number of a, which an emulated device loads once for four of them.
 */
function tileOf({ m, n }: ProductSizes): Tile {
  const width = n <= 4 ? 4 : 16;
  return { rows: m < 8 ? 2 : 8, columns: n <= width ? 1 : 4, width };
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function code({ left, right, outputs, sizes }: Product, tile: Tile): string {
  const { rows, columns, width } = tile;
  const { transposeA, transposeB } = sizes;
  const [rs, cs] = [range(rows), range(columns)];
  const lines = (parts: readonly string[]): string => parts.join('\n  ');
  const names = Object.entries(outputs);
  const a = (r: number): string => (transposeA ? `placeA + k * u.m + r${r}` : `placeA${r} + k`);
  const b = (c: number): string => (transposeB ? `placeB${c} + k` : `placeB + k * u.n + c${c}`);
  const value = (name: string, { bias, relu }: ProductOutput, r: number, c: number): string => {
    const sum = `${name}${r}_${c}${bias === undefined ? '' : ` + ${bias}[c${c}]`}`;
    return relu === true ? `positive(${sum})` : sum;
  };
  return `fn positive(x: f32) -> f32 { return select(x, 0.0, x < 0.0); }
fn main(id: Ids) {
  let across = (u.n + ${width * columns - 1}u) / ${width * columns}u;
  let down = (u.m + ${rows - 1}u) / ${rows}u;
  let group = groupIndex(id);
  let item = group / (across * down);
  if (item >= u.batch) { return; }
  let row = group / across % down * ${rows}u;
  let column = group % across * ${width * columns}u + id.local;
  if (column >= u.n) { return; }
  let placeA = item * u.stepA;
  let placeB = item * u.stepB;
  ${lines(rs.map((r) => `let r${r} = min(row + ${r}u, u.m - 1u);`))}
  ${lines(cs.map((c) => `let c${c} = min(column + ${c * width}u, u.n - 1u);`))}
  ${transposeA ? '' : lines(rs.map((r) => `let placeA${r} = placeA + r${r} * u.k;`))}
  ${transposeB ? lines(cs.map((c) => `let placeB${c} = placeB + c${c} * u.k;`)) : ''}
  ${lines(names.flatMap(([name]) => rs.flatMap((r) => cs.map((c) => `var ${name}${r}_${c} = 0.0;`))))}
  for (var k = 0u; k < u.k; k++) {
    ${lines(Object.keys(right).flatMap((name) => cs.map((c) => `let ${name}${c} = ${name}[${b(c)}];`)))}
    ${lines(rs.flatMap((r) => Object.keys(left).map((name) => `let ${name}${r} = ${name}[${a(r)}];`)))}
    ${lines(
      names.flatMap(([name, { terms }]) =>
        rs.flatMap((r) => cs.flatMap((c) => terms.map(([x, y]) => `${name}${r}_${c} += ${x}${r} * ${y}${c};`))),
      ),
    )}
  }
  let place = item * u.m * u.n;
  ${lines(
    rs.flatMap((r) =>
      cs.map(
        (c) =>
          `if (row + ${r}u < u.m && column + ${c * width}u < u.n) { ${names
            .map(([name, output]) => `${name}[place + r${r} * u.n + c${c}] = ${value(name, output, r, c)};`)
            .join(' ')} }`,
      ),
    ),
  )}
}`;
}

/**
 * Products of matrices without memory shared by a workgroup: what a thread needs stands in its registers.
 *
 * On devices that are emulated on the CPU this is some ten times as fast as tfjs's tiles, which wait at barriers.
 */
export function product(b: Internals, call: Product): void {
  const { sizes, left, right, biases, outputs } = call;
  const { m, k, n, batch, oneA, oneB, transposeA, transposeB } = sizes;
  const tile = tileOf(sizes);
  const { rows, columns, width } = tile;
  const shape = Object.entries(outputs).map(([name, { terms, bias, relu }]) => [name, terms, bias, relu]);
  const uniforms: Uniform[] = Object.entries({ m, k, n, batch, stepA: oneA ? 0 : m * k, stepB: oneB ? 0 : k * n }).map(
    ([name, value]) => [name, 'u32', value],
  );
  dispatch(b, {
    key: `frugal product ${JSON.stringify([transposeA, transposeB, tile, shape])}`,
    code: () => code(call, tile),
    writes: Object.fromEntries(Object.entries(outputs).map(([name, { target }]) => [name, target])),
    reads: { ...left, ...right, ...biases },
    uniforms,
    workgroups: Math.ceil(m / rows) * Math.ceil(n / (width * columns)) * batch,
    workgroupSize: width,
  });
}

/** The sizes of op(a)·op(b), and the shape of the batch; undefined where the batches broadcast in both ways. */
export function sizesOf(
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  transposeA: boolean,
  transposeB: boolean,
): (ProductSizes & { readonly shape: number[] }) | undefined {
  const [m, k] = (transposeA ? a.shape.slice(-2).reverse() : a.shape.slice(-2)) as [number, number];
  const n = b.shape.at(transposeB ? -2 : -1)!;
  const [outerA, outerB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const outer = tf.backend_util.assertAndGetBroadcastShape(outerA, outerB);
  const [batch, batchA, batchB] = [outer, outerA, outerB].map(tf.util.sizeFromShape) as [number, number, number];
  if ((batchA !== batch && batchA !== 1) || (batchB !== batch && batchB !== 1)) return undefined;
  const [oneA, oneB] = [batchA === 1, batchB === 1];
  return { m, k, n, batch, oneA, oneB, transposeA, transposeB, shape: [...outer, m, n] };
}
