import * as tf from '@tensorflow/tfjs-core';

/** A tensor whose axes have letters. */
interface Lettered {
  readonly letters: string;
  readonly tensor: tf.Tensor;
}

const only = (letters: string, keep: (letter: string) => boolean): string => [...letters].filter(keep).join('');

/** The same with its axes in another order. */
function arrange({ letters, tensor }: Lettered, order: string): tf.Tensor {
  return order === letters
    ? tensor
    : tf.transpose(
        tensor,
        [...order].map((letter) => letters.indexOf(letter)),
      );
}

/** Sums over the axes whose letters stand nowhere else. */
function sumLone({ letters, tensor }: Lettered, elsewhere: string): Lettered {
  const axes = [...letters].flatMap((letter, axis) => (elsewhere.includes(letter) ? [] : [axis]));
  if (axes.length === 0) return { letters, tensor };
  return { letters: only(letters, (letter) => elsewhere.includes(letter)), tensor: tf.sum(tensor, axes) };
}

/**
 * Contraction of two operands by one batched product.
 *
 * Not by `einsum` itself: in tfjs 4.22 its forward pass is wrong where an axis is summed in one operand alone.
 */
function contract(a: Lettered, b: Lettered, output: string): tf.Tensor {
  const left = sumLone(a, b.letters + output);
  const right = sumLone(b, a.letters + output);
  const shared = only(left.letters, (letter) => right.letters.includes(letter));
  const batch = only(shared, (letter) => output.includes(letter));
  const inner = only(shared, (letter) => !output.includes(letter));
  const rows = only(left.letters, (letter) => !shared.includes(letter));
  const columns = only(right.letters, (letter) => !shared.includes(letter));
  const size = (letters: string): number[] =>
    [...letters].map((letter) => {
      const { letters: term, tensor } = left.letters.includes(letter) ? left : right;
      return tensor.shape[term.indexOf(letter)]!;
    });
  const count = (letters: string): number => tf.util.sizeFromShape(size(letters));
  const x = tf.reshape(arrange(left, batch + rows + inner), [count(batch), count(rows), count(inner)]);
  const y = tf.reshape(arrange(right, batch + inner + columns), [count(batch), count(inner), count(columns)]);
  const letters = batch + rows + columns;
  return arrange({ letters, tensor: tf.reshape(tf.matMul(x, y), size(letters)) }, output);
}

/** Gradient of one operand: `dy` contracted with the other one, repeated along the axes that nobody else has. */
function operandGradient(operand: Lettered, dy: Lettered, other: Lettered | undefined): tf.Tensor {
  const known = dy.letters + (other?.letters ?? '');
  const kept = only(operand.letters, (letter) => known.includes(letter));
  const partial = other === undefined ? arrange(dy, kept) : contract(dy, other, kept);
  if (kept === operand.letters) return partial;
  const { shape } = operand.tensor;
  const aligned = [...operand.letters].map((letter, axis) => (kept.includes(letter) ? shape[axis]! : 1));
  return tf.broadcastTo(tf.reshape(partial, aligned), shape as never);
}

/** `einsum`: stock has no gradient. */
export const einsumRepairs = (): tf.GradConfig[] => [
  {
    kernelName: 'Einsum',
    saveAllInputs: true,
    gradFunc: (dy, saved, attrs) => {
      const [terms, output] = (attrs.equation as string).replace(/\s/g, '').split('->') as [string, string];
      const operands = terms
        .split(',')
        .map((letters, i): Lettered => ({ letters, tensor: (saved as tf.Tensor[])[i]! }));
      const gradient: Lettered = { letters: output, tensor: dy as tf.Tensor };
      return Object.fromEntries(
        operands.map((operand, i) => [i, () => operandGradient(operand, gradient, operands[1 - i])]),
      );
    },
  },
];
