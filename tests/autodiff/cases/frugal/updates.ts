import * as frugal from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type Case, type Domain, define, dim, drawn, shapes } from '../../program.ts';
import { donates, fresh } from './donating.ts';

const steps = shapes(1, 2);

/** Changes of parameters: optimizer steps and random directions. */
export const updateCases: Case[] = [
  define(
    'addSigns',
    ['FrugalAddSigns'],
    fc.tuple(dim, dim).map(([k, n]) =>
      drawn(
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
      drawn(`[${shape}]`, [[shape, 'any']], (p) =>
        frugal.addNoise(fresh(p), frugal.key(3), { scale: 0.5, noise: 'signs' }),
      ),
    ),
    donates,
  ),
  define(
    'sgdStep',
    ['FrugalSgdStep'],
    steps.map((shape) =>
      drawn(
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
        drawn(
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
      drawn(
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
      drawn(
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
