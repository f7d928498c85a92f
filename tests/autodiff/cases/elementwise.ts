import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { type Case, type Domain, define, type Program, shapes } from '../program.ts';

type Op = (x: tf.Tensor) => tf.Tensor;

function unary(name: string, op: Op, domain: Domain = 'any', tolerance?: number): Case {
  const programs = shapes(0, 3).map(
    (shape): Program => ({ label: `[${shape}]`, inputs: [{ shape, domain }], run: (x) => op(x!) }),
  );
  return define(name, [name], programs, { tolerance });
}

/** Two shapes that broadcast to each other, by leaving axes out or setting them to 1. */
const broadcast = shapes(0, 3).chain((shape) =>
  fc
    .tuple(
      fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
      fc.integer({ min: 0, max: shape.length }),
      fc.boolean(),
      fc.boolean(),
    )
    .map(([ones, cut, swap, plain]): [number[], number[]] => {
      const small = plain ? shape : shape.map((n, i) => (ones[i] ? 1 : n)).slice(cut);
      return swap ? [small, shape] : [shape, small];
    }),
);

const pairs = (broadcasting: boolean): fc.Arbitrary<[number[], number[]]> =>
  broadcasting ? broadcast : shapes(0, 3).map((shape) => [shape, shape]);

type BinaryOp = (a: tf.Tensor, b: tf.Tensor) => tf.Tensor;

function binary(
  name: string,
  op: BinaryOp,
  domains: [Domain, Domain] = ['any', 'any'],
  { broadcasting = true }: { broadcasting?: boolean } = {},
): Case {
  const programs = pairs(broadcasting).map(
    ([a, b]): Program => ({
      label: `[${a}] [${b}]`,
      inputs: [
        { shape: a, domain: domains[0] },
        { shape: b, domain: domains[1] },
      ],
      run: (x, y) => op(x!, y!),
    }),
  );
  return define(broadcasting ? name : `${name}, equal shapes`, [name], programs);
}

export const elementwiseCases: Case[] = [
  unary('Abs', tf.abs),
  unary('Acos', tf.acos, 'unit'),
  unary('Acosh', tf.acosh, 'aboveOne'),
  unary('Asin', tf.asin, 'unit'),
  unary('Asinh', tf.asinh),
  unary('Atan', tf.atan),
  unary('Atanh', tf.atanh, 'unit'),
  unary('ClipByValue', (x) => tf.clipByValue(x, -0.05, 0.8)),
  unary('Cos', tf.cos),
  unary('Cosh', tf.cosh),
  unary('Elu', tf.elu),
  unary('Erf', tf.erf, 'any', 2e-6),
  unary('Exp', tf.exp),
  unary('Expm1', tf.expm1),
  unary('LeakyRelu', (x) => tf.leakyRelu(x, 0.3)),
  unary('Log', tf.log, 'positive'),
  unary('Log1p', tf.log1p, 'positive'),
  unary('Neg', tf.neg),
  unary('Reciprocal', tf.reciprocal),
  unary('Relu', tf.relu),
  unary('Relu6', (x) => tf.relu6(tf.mul(x, 10))),
  unary('Rsqrt', tf.rsqrt, 'positive'),
  unary('Selu', tf.selu),
  unary('Sigmoid', tf.sigmoid),
  unary('Sin', tf.sin),
  unary('Sinh', tf.sinh),
  unary('Softplus', tf.softplus),
  unary('Sqrt', tf.sqrt, 'positive'),
  unary('Square', tf.square),
  unary('Tan', tf.tan, 'unit'),
  unary('Tanh', tf.tanh),
  binary('Add', tf.add),
  binary('Sub', tf.sub),
  binary('Multiply', tf.mul),
  binary('RealDiv', tf.div, ['any', 'positive']),
  binary('Pow', tf.pow, ['positive', 'any']),
  binary('Atan2', tf.atan2, ['positive', 'any']),
  binary('Mod', (a, b) => tf.mod(tf.add(a, 20), tf.mul(b, 1000)), ['any', 'positive']),
  binary('Maximum', tf.maximum, ['distinct', 'positive']),
  binary('Maximum', tf.maximum, ['unit', 'positive'], { broadcasting: false }),
  binary('Minimum', tf.minimum, ['unit', 'aboveOne']),
  binary('Minimum', tf.minimum, ['any', 'aboveOne'], { broadcasting: false }),
  binary('SquaredDifference', tf.squaredDifference, ['any', 'any']),
  binary('SquaredDifference', tf.squaredDifference, ['any', 'any'], { broadcasting: false }),
  define(
    'Prelu',
    ['Prelu'],
    shapes(1, 3).map(
      (shape): Program => ({
        label: `[${shape}]`,
        inputs: [
          { shape, domain: 'any' },
          { shape: shape.slice(-1), domain: 'any' },
        ],
        run: (x, alpha) => tf.prelu(x!, alpha!),
      }),
    ),
  ),
  define(
    'EluGrad',
    ['EluGrad'],
    shapes(0, 3).map(
      (shape): Program => ({
        label: `[${shape}]`,
        inputs: [
          { shape, domain: 'any' },
          { shape, domain: 'unit' },
        ],
        run: (dy, y) => tf.engine().runKernel('EluGrad', { dy: dy!, y: y! } as never),
      }),
    ),
    { noVjp: 'tfjs has none' },
  ),
];
