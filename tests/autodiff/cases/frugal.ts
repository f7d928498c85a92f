import * as frugal from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type Case, type Domain, define, dim, type Program, shapes } from '../program.ts';

/** A tensor that nobody else holds, so that donating it lets a kernel write in place. */
const fresh = (x: tf.Tensor | undefined): tf.Tensor => tf.mul(x!, 1);

function program(label: string, inputs: readonly (readonly [number[], Domain])[], run: Program['run']): Program {
  return { label, inputs: inputs.map(([shape, domain]) => ({ shape, domain })), run };
}

const donates = { noVjp: 'writes in place: not for a tape' };

/** Sorted segments over `total` rows. */
const segmented = fc
  .tuple(dim, dim, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 4 }), fc.boolean())
  .filter(([, , sizes]) => sizes.some((size) => size > 0))
  .map(([k, n, sizes, transposeW]) => {
    let end = 0;
    const ends = sizes.map((size) => (end += size));
    const w = transposeW ? [sizes.length, n, k] : [sizes.length, k, n];
    return { k, n, ends, rows: end, segments: sizes.length, transposeW, w };
  });

const steps = shapes(1, 2);

export const frugalCases: Case[] = [
  define(
    'gelu',
    ['FrugalGelu'],
    shapes(0, 3).map((shape) => program(`[${shape}]`, [[shape, 'any']], (x) => frugal.gelu(x!))),
  ),
  define(
    'geluGrad',
    ['FrugalGeluGrad'],
    shapes(1, 3).map((shape) =>
      program(
        `[${shape}]`,
        [
          [shape, 'any'],
          [shape, 'any'],
        ],
        (x, dy) => frugal.geluGrad({ x: x!, dy: dy! }),
      ),
    ),
    { noVjp: 'has none' },
  ),
  define(
    'layerNorm',
    ['FrugalLayerNorm'],
    shapes(2, 3).map((shape) => {
      const wide = [...shape.slice(0, -1), shape.at(-1)! + 1];
      const row = wide.slice(-1);
      return program(
        `[${wide}]`,
        [
          [wide, 'any'],
          [row, 'any'],
          [row, 'any'],
        ],
        (x, scale, offset) => frugal.layerNorm({ x: x!, scale: scale!, offset: offset! }, { epsilon: 1e-2 }),
      );
    }),
  ),
  define(
    'layerNormGrad',
    ['FrugalLayerNormGrad'],
    fc.tuple(dim, dim).map(([n, d]) =>
      program(
        `[${n}, ${d}]`,
        [
          [[n, d], 'any'],
          [[d], 'any'],
          [[n], 'any'],
          [[n], 'positive'],
          [[n, d], 'any'],
        ],
        (x, scale, mean, rstd, dy) => frugal.layerNormGrad({ x: x!, scale: scale!, mean: mean!, rstd: rstd!, dy: dy! }),
      ),
    ),
    { noVjp: 'has none' },
  ),
  define(
    'softmaxCrossEntropy',
    ['FrugalSoftmaxCrossEntropy'],
    fc
      .tuple(dim, dim)
      .chain(([b, c]) =>
        fc
          .array(fc.nat(c), { minLength: b, maxLength: b })
          .map((labels) =>
            program(`[${b}, ${c + 1}]`, [[[b, c + 1], 'distinct']], (logits) =>
              frugal.softmaxCrossEntropy({ logits: logits!, labels: tf.tensor1d(labels, 'int32') }),
            ),
          ),
      ),
  ),
  ...(['linear', 'relu', 'gelu'] as const).map((activation) =>
    define(
      `segmentMatMul, ${activation}`,
      ['FrugalSegmentMatMul'],
      segmented.map(({ k, n, ends, rows, segments, transposeW, w }) =>
        program(
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
      program(
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
          program(`[${shape}] rows [${rows}]`, [[shape, 'any']], (x) => frugal.gatherRows(x!, Int32Array.from(rows))),
        ),
    ),
  ),
  define(
    'scatterAddRows',
    ['FrugalScatterAddRows'],
    fc.tuple(shapes(1, 3), fc.boolean()).chain(([shape, scaled]) =>
      fc.array(fc.nat(shape[0]! - 1), { minLength: 1, maxLength: 6 }).map((rows) =>
        program(
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
    'convReluPool',
    ['FrugalConvReluPool'],
    fc
      .tuple(fc.integer({ min: 1, max: 2 }), dim, fc.integer({ min: 1, max: 2 }), fc.constantFrom('same', 'valid'))
      .map(([b, outputs, pool, pad]) =>
        program(
          `[${b}, 6, 5, 2] to ${outputs} ${pad} pool ${pool}`,
          [
            [[b, 6, 5, 2], 'distinct'],
            [[3, 3, 2, outputs], 'any'],
            [[outputs], 'any'],
          ],
          (x, w, bias) => frugal.convReluPool({ x: x!, w: w!, bias: bias! }, { pad: pad as 'same' | 'valid', pool }),
        ),
      ),
    { tolerance: 1e-6 },
  ),
  define(
    'matMulTangent',
    ['FrugalMatMulTangent'],
    fc.tuple(dim, dim, dim, fc.boolean(), fc.boolean()).map(([m, k, n, transposeA, transposeB]) => {
      const [a, b] = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]];
      return program(
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
      program(
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
    'groupGradient',
    ['FrugalGroupGradient'],
    fc.tuple(dim, dim, dim).map(([rows, units, groupSize]) =>
      program(
        `[${rows}, ${units}] in groups of ${groupSize}`,
        [
          [[rows, units], 'any'],
          // Away from 0, where the output jumps.
          [[rows, units], 'positive'],
          [[rows, units], 'any'],
        ],
        (u, du, slope) => frugal.groupGradient({ u: u!, du: du!, slope: slope! }, groupSize),
      ),
    ),
    { noVjp: 'has none' },
  ),
  define(
    'reluGrad',
    ['FrugalReluGrad'],
    shapes(1, 2).map((shape) =>
      program(
        `[${shape}]`,
        [[shape, 'any']],
        // Linear in dy: of y, which only chooses, a constant.
        (dy) =>
          frugal.reluGrad({
            dy: dy!,
            y: tf.tidy(() => tf.relu(tf.sub(tf.reshape(tf.range(0, dy!.size), shape), 1.5))),
          }),
      ),
    ),
  ),
  define(
    'matMulSigns',
    ['FrugalMatMulSigns'],
    fc.tuple(dim, dim, dim).map(([m, k, n]) =>
      program(
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
  define(
    'addSigns',
    ['FrugalAddSigns'],
    fc.tuple(dim, dim).map(([k, n]) =>
      program(
        `[${k}, ${n}]`,
        [
          [[k, n], 'any'],
          [[], 'any'],
        ],
        (p, scale) => frugal.addSigns({ p: fresh(p), scale: scale! }, frugal.key(3), -0.7),
      ),
    ),
    donates,
  ),
  define(
    'addNoise',
    ['FrugalAddNoise'],
    shapes(1, 2).map((shape) =>
      program(`[${shape}]`, [[shape, 'any']], (p) =>
        frugal.addNoise(fresh(p), frugal.key(3), { scale: 0.5, noise: 'signs' }),
      ),
    ),
    donates,
  ),
  define(
    'sgdStep',
    ['FrugalSgdStep'],
    steps.map((shape) =>
      program(
        `[${shape}]`,
        [
          [shape, 'any'],
          [shape, 'any'],
        ],
        (p, g) =>
          frugal.sgdStep(
            { params: [fresh(p), fresh(g)], grads: [g!, p!] },
            { learningRate: 0.3, gradScale: 0.5, decays: [0, 0.2] },
          ).params,
      ),
    ),
    donates,
  ),
  ...[false, true].map((nesterov) =>
    define(
      `momentumStep${nesterov ? ', nesterov' : ''}`,
      ['FrugalMomentumStep'],
      steps.map((shape) =>
        program(
          `[${shape}]`,
          [shape, shape, shape].map((s): [number[], Domain] => [s, 'any']),
          (p, g, m) => {
            const options = { learningRate: 0.3, gradScale: 0.5, decays: [0.2], beta: 0.9, nesterov };
            const next = frugal.momentumStep({ params: [fresh(p)], grads: [g!], m: [fresh(m)] }, options);
            return [...next.params, ...next.m];
          },
        ),
      ),
      donates,
    ),
  ),
  define(
    'adamStep',
    ['FrugalAdamStep'],
    steps.map((shape) =>
      program(
        `[${shape}]`,
        [
          [shape, 'any'],
          [shape, 'any'],
          [shape, 'any'],
          [shape, 'positive'],
        ],
        (p, g, m, v) => {
          const options = {
            learningRate: 0.3,
            gradScale: 0.5,
            decays: [0.1],
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 0.01,
            step: 5,
          };
          const next = frugal.adamStep({ params: [fresh(p)], grads: [g!], m: [fresh(m)], v: [fresh(v)] }, options);
          return [...next.params, ...next.m, ...next.v];
        },
      ),
    ),
    donates,
  ),
  define(
    'lionStep',
    ['FrugalLionStep'],
    steps.map((shape) =>
      program(
        `[${shape}]`,
        [
          [shape, 'any'],
          [shape, 'any'],
          [shape, 'any'],
        ],
        (p, g, m) => {
          const options = { learningRate: 0.3, gradScale: 0.5, decays: [0.1], beta1: 0.5, beta2: 0.9 };
          // Far from where the sign turns.
          const momentum = tf.mul(tf.sign(m!), 20);
          const next = frugal.lionStep({ params: [fresh(p)], grads: [g!], m: [tf.add(fresh(m), momentum)] }, options);
          return [...next.params, ...next.m];
        },
      ),
    ),
    donates,
  ),
];
