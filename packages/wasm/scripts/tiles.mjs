// The register tiles of the matmul as AssemblyScript text: the language has no macros, and V8 keeps 15 vectors in registers.

const range = (n) => [...Array(n).keys()];
const lines = (parts) => parts.flat(Number.POSITIVE_INFINITY).join('\n');

/** One tile: `rows` × 4·`vectors` accumulators over packed panels of `stride` rows; adds to C where `add`. */
function tile(name, rows, vectors, stride) {
  const row = range(rows);
  const vec = range(vectors);
  const store = (value) =>
    row.map((i) => [
      vec.map((j) => `    v128.store(c, ${value(i, j)}, ${16 * j});`),
      i < rows - 1 ? '    c += ldc;' : [],
    ]);
  return lines([
    `/** ${rows} × ${4 * vectors}: C (+)= A · B over k; ldc in bytes. */`,
    `export function ${name}(k: i32, a: usize, b: usize, c: usize, ldc: usize, add: bool): void {`,
    row.map((i) => vec.map((j) => `  let c${i}${j} = f32x4.splat(0);`)),
    '  while (k > 0) {',
    vec.map((j) => `    const b${j} = v128.load(b, ${16 * j});`),
    row.map((i) => [
      `    const a${i} = v128.load32_splat(a, ${4 * i});`,
      vec.map((j) => `    c${i}${j} = madd(a${i}, b${j}, c${i}${j});`),
    ]),
    `    a += ${4 * stride};`,
    `    b += ${16 * vectors};`,
    '    k--;',
    '  }',
    '  if (add) {',
    store((i, j) => `f32x4.add(c${i}${j}, v128.load(c, ${16 * j}))`),
    '  } else {',
    store((i, j) => `c${i}${j}`),
    '  }',
    '}',
  ]);
}

/** Few rows against streamed rows of B: `rows` of A times `depth` rows of B, added to `rows` lines of t. */
function stream(rows, depth) {
  const row = range(rows);
  const deep = range(depth);
  return lines([
    `/** t[m, n] += Σ a[m, p] · b[p, n] for ${rows} × ${depth}; a holds alpha · A as [p][m], ldb and ldt in bytes. */`,
    `export function stream${rows}(n: i32, a: usize, b: usize, ldb: usize, t: usize, ldt: usize): void {`,
    deep.map((p) => row.map((m) => `  const a${p}${m} = v128.load32_splat(a, ${4 * (p * rows + m)});`)),
    deep.slice(1).map((p) => `  const b${p} = b + ldb${p > 1 ? ` * ${p}` : ''};`),
    row.slice(1).map((m) => `  const t${m} = t + ldt${m > 1 ? ` * ${m}` : ''};`),
    '  let x: usize = 0;',
    '  const end = <usize>(n >> 2) << 4;',
    '  for (; x < end; x += 16) {',
    row.map((m) => `    let s${m} = v128.load(t${m || ''} + x);`),
    deep.map((p) => [
      `    const v${p} = v128.load(b${p || ''} + x);`,
      row.map((m) => `    s${m} = madd(a${p}${m}, v${p}, s${m});`),
    ]),
    row.map((m) => `    v128.store(t${m || ''} + x, s${m});`),
    '  }',
    '  const stop = <usize>n << 2;',
    '  for (; x < stop; x += 4) {',
    row.map((m) => `    let s${m} = v128.load32_zero(t${m || ''} + x);`),
    deep.map((p) => [
      `    const v${p} = v128.load32_zero(b${p || ''} + x);`,
      row.map((m) => `    s${m} = madd(a${p}${m}, v${p}, s${m});`),
    ]),
    row.map((m) => `    v128.store32_lane(t${m || ''} + x, s${m}, 0);`),
    '  }',
    '}',
  ]);
}

/** Few rows against B stored N × K: 8 columns at once, `rows` × 2 accumulators over k. */
function dots(rows) {
  const row = range(rows);
  const load = (base) => range(4).map((q) => `    const r${base}${q} = v128.load(b${base + q});`);
  const turn = (h) => [
    `    const l${h} = unpackLow(r${h}0, r${h}1), h${h} = unpackHigh(r${h}0, r${h}1);`,
    `    const m${h} = unpackLow(r${h}2, r${h}3), n${h} = unpackHigh(r${h}2, r${h}3);`,
  ];
  const column = (h, p) =>
    [`joinLow(l${h}, m${h})`, `joinHigh(l${h}, m${h})`, `joinLow(h${h}, n${h})`, `joinHigh(h${h}, n${h})`][p];
  return lines([
    `/** t[m, 0..8) += Σ a[m, p] · b[j, p] for ${rows} rows; a holds [p][m], ldb and ldt in bytes. */`,
    `export function dots${rows}(k: i32, a: usize, b: usize, ldb: usize, t: usize, ldt: usize): void {`,
    `  let b0 = b, b1 = b0 + ldb, b2 = b1 + ldb, b3 = b2 + ldb, b4 = b3 + ldb, b5 = b4 + ldb, b6 = b5 + ldb, b7 = b6 + ldb;`,
    row.map((m) => `  let s${m}0 = f32x4.splat(0), s${m}1 = s${m}0;`),
    '  while (k >= 4) {',
    [0, 4].map((h) => [
      load(h),
      turn(h),
      range(4).map((p) => [
        `    const x${h}${p} = ${column(h, p)};`,
        row.map(
          (m) => `    s${m}${h && 1} = madd(v128.load32_splat(a, ${4 * (p * rows + m)}), x${h}${p}, s${m}${h && 1});`,
        ),
      ]),
    ]),
    `    a += ${16 * rows};`,
    range(8).map((q) => `    b${q} += 16;`),
    '    k -= 4;',
    '  }',
    '  while (k > 0) {',
    [0, 4].map((h) => [
      `    let z${h} = v128.load32_zero(b${h});`,
      [1, 2, 3].map((q) => `    z${h} = v128.load32_lane(b${h + q}, z${h}, ${q});`),
    ]),
    row.map((m) => [
      `    const e${m} = v128.load32_splat(a, ${4 * m});`,
      `    s${m}0 = madd(e${m}, z0, s${m}0);`,
      `    s${m}1 = madd(e${m}, z4, s${m}1);`,
    ]),
    `    a += ${4 * rows};`,
    range(8).map((q) => `    b${q} += 4;`),
    '    k--;',
    '  }',
    row.map((m) => [`  v128.store(t, s${m}0);`, `  v128.store(t, s${m}1, 16);`, m < rows - 1 ? '  t += ldt;' : []]),
    '}',
  ]);
}

/** The text of `assembly/tiles.ts` for a variant: plain SIMD wants 5 × 8 in 15 registers, fused multiply-add 6 × 8. */
export function tiles({ relaxed }) {
  const rows = relaxed ? 6 : 5;
  return lines([
    "import { madd } from './prelude';",
    "import { joinHigh, joinLow, unpackHigh, unpackLow } from './pack';",
    `export const MR: i32 = ${rows};`,
    tile('tile8', rows, 2, rows),
    tile('tile4', rows, 1, rows),
    // The last rows of a matrix: eight sums keep the multipliers as busy as more do.
    tile('short8', 4, 2, rows),
    [1, 2, 3].map((m) => stream(m, STREAM_DEPTH[m])),
    [1, 2, 3, 4].map(dots),
    '',
  ]);
}

/** Rows of B taken at once per number of rows of A, so that splats, sums and one row fit the registers. */
const STREAM_DEPTH = { 1: 8, 2: 4, 3: 3 };
