import * as tf from '@tensorflow/tfjs-core';
import type { RuleTable } from './entry.ts';
import { linearLifted, same } from './linear.ts';

/** Kernels of complex numbers; their tangents are complex too. */
export const spectralRules: RuleTable = {
  Complex: {
    kind: 'linear',
    many: true,
    rule: (call) => tf.complex(call.dOrZeros('real'), call.dOrZeros('imag')),
  },
  Real: linearLifted('input', same),
  Imag: linearLifted('input', same),
  FFT: linearLifted('input', same),
  IFFT: linearLifted('input', same),
  ComplexAbs: {
    kind: 'by hand',
    many: true,
    rule: (call) => {
      const [x, dx] = [call.input('x'), call.d('x')!];
      const along = tf.add(tf.mul(tf.real(dx), tf.real(x)), tf.mul(tf.imag(dx), tf.imag(x)));
      return tf.div(along, call.y);
    },
  },
};
