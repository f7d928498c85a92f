// The register tiles of the convolutions as AssemblyScript text. They read the (padded) image where it lies: a row of the
// implicit matrix is a pixel's window, `runs` stretches of `r` floats each, so nothing is packed but the filter.

const range = (n) => [...Array(n).keys()];
const lines = (parts) => parts.flat(Number.POSITIVE_INFINITY).join('\n');

const accumulators = (rows, vectors) =>
  range(rows).map((i) => range(vectors).map((j) => `  let c${i}${j} = f32x4.splat(0);`));

/** One multiply-add of every accumulator; `a(i)` loads and spreads the element of row i, b lies `offset` bytes on. */
const steps = (rows, vectors, offset, a) => [
  range(vectors).map((j) => `b${j} = v128.load(b, ${offset + 16 * j});`),
  range(rows).map((i) => [`a = ${a(i)};`, range(vectors).map((j) => `c${i}${j} = madd(a, b${j}, c${i}${j});`)]),
];

const temporaries = (vectors) =>
  `  let a: v128, ${range(vectors)
    .map((j) => `b${j}: v128`)
    .join(', ')};`;

const store = (rows, vectors) => [
  '  if (add) {',
  range(rows).map((i) => [
    range(vectors).map((j) => `    v128.store(c, f32x4.add(c${i}${j}, v128.load(c, ${16 * j})), ${16 * j});`),
    '    c += ldc;',
  ]),
  '  } else {',
  range(rows).map((i) => [range(vectors).map((j) => `    v128.store(c, c${i}${j}, ${16 * j});`), '    c += ldc;']),
  '  }',
];

/** Pixels × output channels. */
const imageTile = (rows, vectors) => [
  `/** C (+)= windows · B: ${rows} pixels at the addresses in \`table\`, \`runs\` stretches of r floats at \`offsets\`; ldc in bytes. */`,
  `export function imageTile${4 * vectors}(`,
  '  runs: i32, r: i32, table: usize, offsets: usize, b: usize, c: usize, ldc: usize, add: bool,',
  '): void {',
  accumulators(rows, vectors),
  temporaries(vectors),
  '  for (; runs > 0; runs--) {',
  '    const offset = <usize>load<u32>(offsets);',
  range(rows).map((i) => `    let p${i} = offset + <usize>load<u32>(table, ${4 * i});`),
  '    let k = r;',
  '    for (; k >= 4; k -= 4) {',
  range(4).map((u) => steps(rows, vectors, u * 16 * vectors, (i) => `v128.load32_splat(p${i}, ${4 * u})`)),
  range(rows).map((i) => `      p${i} += 16;`),
  `      b += ${64 * vectors};`,
  '    }',
  '    for (; k > 0; k--) {',
  steps(rows, vectors, 0, (i) => `v128.load32_splat(p${i})`),
  range(rows).map((i) => `      p${i} += 4;`),
  `      b += ${16 * vectors};`,
  '    }',
  '    offsets += 4;',
  '  }',
  store(rows, vectors),
  '}',
];

/** Window elements × output channels, summed over pixels. */
const filterTile = (rows, vectors) => [
  `/** C (+)= windowsᵀ · B over \`depth\` pixels at the addresses in \`table\`, ${rows} elements from \`offset\` on; ldc in bytes. */`,
  `export function filterTile${4 * vectors}(`,
  '  depth: i32, table: usize, offset: usize, b: usize, c: usize, ldc: usize, add: bool,',
  '): void {',
  accumulators(rows, vectors),
  temporaries(vectors),
  '  for (; depth > 0; depth--) {',
  '    const p = offset + <usize>load<u32>(table);',
  steps(rows, vectors, 0, (i) => `v128.load32_splat(p, ${4 * i})`),
  '    table += 4;',
  `    b += ${16 * vectors};`,
  '  }',
  store(rows, vectors),
  '}',
];

/** A product whose rows are added at pixels' windows. */
const scatterTile = (rows, vectors) => [
  `/** Adds A · B over packed panels, row i at the address \`table\`[i] + \`offset\`. */`,
  `export function scatterTile${4 * vectors}(k: i32, a0: usize, b: usize, table: usize, offset: usize): void {`,
  accumulators(rows, vectors),
  temporaries(vectors),
  '  for (; k > 0; k--) {',
  steps(rows, vectors, 0, (i) => `v128.load32_splat(a0, ${4 * i})`),
  `    a0 += ${4 * rows};`,
  `    b += ${16 * vectors};`,
  '  }',
  '  let p: usize;',
  range(rows).map((i) => [
    `  p = offset + <usize>load<u32>(table, ${4 * i});`,
    range(vectors).map((j) => `  v128.store(p, f32x4.add(c${i}${j}, v128.load(p, ${16 * j})), ${16 * j});`),
  ]),
  '}',
];

/** Output channels × 4 neighbouring pixels of two rows. */
const planeTile = (name, channels) => [
  `/** ${channels} channels, biases first: sums over \`taps\` at \`at\` and \`down\` bytes further, as planes; with \`pooled\` the larger of both. */`,
  `export function ${name}(`,
  '  taps: i32, offsets: usize, at: usize, down: usize, b: usize, to: usize, plane: usize, line: usize, pooled: bool,',
  '): void {',
  range(channels).map((i) => `  let c${i}0 = v128.load32_splat(b, ${4 * i}), c${i}1 = c${i}0;`),
  '  let w: v128;',
  '  for (; taps > 0; taps--) {',
  `    b += ${4 * channels};`,
  '    const p = at + <usize>load<u32>(offsets);',
  '    const x0 = v128.load(p), x1 = v128.load(p + down);',
  range(channels).map((i) => [
    `    w = v128.load32_splat(b, ${4 * i});`,
    `    c${i}0 = madd(w, x0, c${i}0);`,
    `    c${i}1 = madd(w, x1, c${i}1);`,
  ]),
  '    offsets += 4;',
  '  }',
  '  if (pooled) {',
  range(channels).map((i) => [`    v128.store(to, f32x4.max(c${i}0, c${i}1));`, '    to += plane;']),
  '  } else {',
  range(channels).map((i) => [
    '    v128.store(to, c' + i + '0);',
    '    v128.store(to + line, c' + i + '1);',
    '    to += plane;',
  ]),
  '  }',
  '}',
];

/** The text of `assembly/conv-tiles.ts` for a variant; as many rows as the matmul's tiles. */
export function convTiles({ relaxed }) {
  const rows = relaxed ? 6 : 5;
  return lines([
    "import { madd } from './prelude';",
    [2, 1].map((vectors) => [imageTile(rows, vectors), filterTile(rows, vectors), scatterTile(rows, vectors)]),
    planeTile('planeTile4', 4),
    planeTile('planeTileOdd', relaxed ? 6 : 3),
    '',
  ]);
}
