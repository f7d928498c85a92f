import * as tf from '@tensorflow/tfjs-core';
import { type Case, define, type Program, shapes } from '../program.ts';

function parts(shape: number[], run: (z: tf.Tensor) => readonly tf.Tensor[]): Program {
  return {
    label: `[${shape}]`,
    inputs: [
      { shape, domain: 'any' },
      { shape, domain: 'any' },
    ],
    run: (re, im) => run(tf.complex(re!, im!)),
  };
}

const both = (z: tf.Tensor): tf.Tensor[] => [tf.real(z), tf.imag(z)];
const none = { noVjp: 'tfjs has none for complex numbers' };

export const spectralCases: Case[] = [
  define(
    'Complex, Real, Imag',
    ['Complex', 'Real', 'Imag'],
    shapes(1, 3).map((shape) => parts(shape, both)),
    none,
  ),
  define(
    'ComplexAbs',
    ['ComplexAbs'],
    shapes(1, 3).map((shape) => parts(shape, (z) => [tf.abs(z)])),
    none,
  ),
  define(
    'FFT',
    ['FFT'],
    shapes(1, 2).map((shape) => parts(shape, (z) => both(tf.spectral.fft(z)))),
    none,
  ),
  define(
    'IFFT',
    ['IFFT'],
    shapes(1, 2).map((shape) => parts(shape, (z) => both(tf.spectral.ifft(z)))),
    none,
  ),
];
