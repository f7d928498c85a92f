import * as frugal from '@frugal/tensor';
import fc from 'fast-check';
import { type Case, type Domain, define, dim, drawn, shapes } from '../../program.ts';
import { donates, fresh } from './donating.ts';

/** Sorted segments of rows, some of them empty. */
const segmented = fc
  .tuple(dim, dim, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }), fc.boolean())
  .filter(([, , sizes]) => sizes.some((size) => size > 0))
  .map(([k, n, sizes, transposeW]) => {
    let end = 0;
    const ends = sizes.map((size) => (end += size));
    const w = transposeW ? [sizes.length, n, k] : [sizes.length, k, n];
    return { k, n, ends, rows: end, segments: sizes.length, transposeW, w };
  });

/** Products, by segments and along tangents too, and rows that are gathered and scattered for them. */
export const ownProductCases: Case[] = [
  ...(['linear', 'relu', 'gelu'] as const).map((activation) =>
    define(
      `segmentMatMul, ${activation}`,
      ['FrugalSegmentMatMul'],
      segmented.map(({ k, n, ends, rows, segments, transposeW, w }) =>
        drawn(
          `[${rows}, ${k}] ends [${ends}] ${transposeW}`,
          [
            [[rows, k], 'any'],
            [w, 'any'],
            [[segments, n], 'any'],
          ],
          (x, weights, bias) =>
            frugal.segmentMatMul({ x: x!, w: weights!, bias: bias! }, { ends, transposeW, activation }),
        ),
      ),
      { tolerance: 1e-6 },
    ),
  ),
  define(
    'segmentMatMulWeightGrad',
    ['FrugalSegmentMatMulWeightGrad'],
    segmented.map(({ k, n, ends, rows }) =>
      drawn(
        `[${rows}, ${k}] ends [${ends}]`,
        [
          [[rows, k], 'any'],
          [[rows, n], 'any'],
        ],
        (x, dy) => frugal.segmentMatMulWeightGrad({ x: x!, dy: dy! }, ends),
      ),
    ),
    { noVjp: 'has none' },
  ),
  define(
    'gatherRows',
    ['FrugalGatherRows'],
    shapes(1, 3).chain((shape) =>
      fc
        .array(fc.nat(shape[0]! - 1), { minLength: 1, maxLength: 6 })
        .map((rows) =>
          drawn(`[${shape}] rows [${rows}]`, [[shape, 'any']], (x) => frugal.gatherRows(x!, Int32Array.from(rows))),
        ),
    ),
  ),
  define(
    'scatterAddRows',
    ['FrugalScatterAddRows'],
    fc.tuple(shapes(1, 3), fc.boolean()).chain(([shape, scaled]) =>
      fc.array(fc.nat(shape[0]! - 1), { minLength: 1, maxLength: 6 }).map((rows) =>
        drawn(
          `[${shape}] rows [${rows}] ${scaled}`,
          [
            [shape, 'any'],
            [[rows.length, ...shape.slice(1)], 'any'],
          ],
          (into, x) =>
            frugal.scatterAddRows(
              { into: fresh(into), x: x! },
              {
                rows: Int32Array.from(rows),
                ...(scaled && { scale: Float32Array.from(rows, (_, i) => 0.5 + i) }),
              },
            ),
        ),
      ),
    ),
    donates,
  ),
  define(
    'matMulTangent',
    ['FrugalMatMulTangent'],
    fc.tuple(dim, dim, dim, fc.boolean(), fc.boolean()).map(([m, k, n, transposeA, transposeB]) => {
      const [a, b] = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
      return drawn(
        `[${a}] [${b}]`,
        [a, b, a, b, [n], [n]].map((shape): [number[], Domain] => [shape, 'any']),
        (x, y, da, db, bias, dbias) =>
          frugal.matMulTangent(
            { a: x!, b: y!, da: da!, db: db!, bias: bias!, dbias: dbias! },
            { transposeA, transposeB },
          ),
      );
    }),
    { noVjp: 'has none' },
  ),
  define(
    'matMulAccumulate',
    ['FrugalMatMulAccumulate'],
    fc.tuple(dim, dim, dim).map(([m, k, n]) =>
      drawn(
        `[${m}, ${k}] [${k}, ${n}]`,
        [
          [[m, n], 'any'],
          [[m, k], 'any'],
          [[k, n], 'any'],
        ],
        (c, a, b) => frugal.matMulAccumulate({ c: fresh(c), a: a!, b: b! }, { alpha: -0.7 }),
      ),
    ),
    donates,
  ),
  define(
    'matMulSigns',
    ['FrugalMatMulSigns'],
    fc.tuple(dim, dim, dim).map(([m, k, n]) =>
      drawn(
        `[${m}, ${k}] [${k}, ${n}]`,
        [
          [[m, k], 'any'],
          [[m, n], 'any'],
          [[n], 'any'],
        ],
        (a, into, bias) => frugal.matMulSigns({ a: a!, into: fresh(into), bias: bias! }, frugal.key(3), n),
      ),
    ),
    donates,
  ),
];
