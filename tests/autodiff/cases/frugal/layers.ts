import * as frugal from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type Case, define, dim, drawn, shapes } from '../../program.ts';

/** Activations, norms, losses and their derivatives. */
export const layerCases: Case[] = [
  define(
    'gelu',
    ['FrugalGelu'],
    shapes(0, 3).map((shape) => drawn(`[${shape}]`, [[shape, 'any']], (x) => frugal.gelu(x!))),
  ),
  define(
    'geluGrad',
    ['FrugalGeluGrad'],
    shapes(1, 3).map((shape) =>
      drawn(
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
      return drawn(
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
      drawn(
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
            drawn(`[${b}, ${c + 1}]`, [[[b, c + 1], 'distinct']], (logits) =>
              frugal.softmaxCrossEntropy({ logits: logits!, labels: tf.tensor1d(labels, 'int32') }),
            ),
          ),
      ),
  ),
  define(
    'convReluPool',
    ['FrugalConvReluPool'],
    fc
      .tuple(fc.integer({ min: 1, max: 2 }), dim, fc.integer({ min: 1, max: 2 }), fc.constantFrom('same', 'valid'))
      .map(([b, outputs, pool, pad]) =>
        drawn(
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
    'reluGrad',
    ['FrugalReluGrad'],
    shapes(1, 2).map((shape) =>
      drawn(
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
    'groupGradient',
    ['FrugalGroupGradient'],
    fc.tuple(dim, dim, dim).map(([rows, units, groupSize]) =>
      drawn(
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
];
