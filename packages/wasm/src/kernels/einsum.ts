import * as tf from '@tensorflow/tfjs-core';
import type { Runtime } from '../runtime/runtime.ts';
import { multiply } from './matmul.ts';
import { transpose } from './movement.ts';
import { allFloat, over, type Registration, refusal } from './over.ts';
import { reduceSum } from './reduce.ts';

/** An operand and the letters of its axes. */
interface Term {
  readonly x: tf.TensorInfo;
  readonly letters: string;
  /** Whether this kernel made it and must free it. */
  readonly own: boolean;
}

function parse(equation: string, count: number): { terms: string[]; result: string } {
  const [left, result, ...more] = equation.replace(/\s/g, '').split('->');
  const terms = (left ?? '').split(',');
  if (result === undefined || more.length > 0 || terms.length !== count || /[^A-Za-z,]/.test(`${left}${result}`)) {
    throw refusal('Einsum', `cannot read '${equation}' for ${count} tensors`);
  }
  const unique = (text: string): boolean => new Set(text).size === text.length;
  if (![...terms, result].every(unique) || [...result].some((c) => !(left ?? '').includes(c))) {
    throw refusal(
      'Einsum',
      `takes every letter once per tensor, and in the result only letters of the left side; got '${equation}'`,
    );
  }
  return { terms, result };
}

const release = (runtime: Runtime, { x, own }: Term): void => {
  if (own) runtime.release(x);
};

/** Sums the axes away whose letters nobody needs any more. */
function reduceTo(runtime: Runtime, term: Term, needed: string): Term {
  const axis = [...term.letters].flatMap((c, i) => (needed.includes(c) ? [] : [i]));
  if (axis.length === 0) return term;
  const x = reduceSum(runtime, term.x, { axis, keepDims: false });
  release(runtime, term);
  return { x, letters: [...term.letters].filter((c) => needed.includes(c)).join(''), own: true };
}

/** The same term with its axes in the order of `letters`. */
function arrange(runtime: Runtime, term: Term, letters: string): Term {
  if (term.letters === letters) return term;
  const x = transpose(
    runtime,
    term.x,
    [...letters].map((c) => term.letters.indexOf(c)),
  );
  release(runtime, term);
  return { x, letters, own: true };
}

/** Two terms become one: a batched matmul over the letters that both have, summing those that nobody needs. */
function contract(runtime: Runtime, first: Term, second: Term, needed: string): Term {
  const a = reduceTo(runtime, first, needed + second.letters);
  const b = reduceTo(runtime, second, needed + first.letters);
  const both = [...a.letters].filter((c) => b.letters.includes(c));
  const batch = both.filter((c) => needed.includes(c)).join('');
  const summed = both.filter((c) => !needed.includes(c)).join('');
  const rows = [...a.letters].filter((c) => !both.includes(c)).join('');
  const columns = [...b.letters].filter((c) => !both.includes(c)).join('');
  // A side that already ends in the summed letters is taken as it is, transposed by the matmul.
  const transposeA = a.letters === batch + summed + rows && rows !== '' && summed !== '';
  const transposeB = b.letters === batch + columns + summed && summed !== '';
  const [left, right] = [
    arrange(runtime, a, transposeA ? a.letters : batch + rows + summed),
    arrange(runtime, b, transposeB ? b.letters : batch + summed + columns),
  ];
  const extent = (letters: string): number[] =>
    [...letters].map((c) =>
      a.letters.includes(c) ? a.x.shape[a.letters.indexOf(c)]! : b.x.shape[b.letters.indexOf(c)]!,
    );
  const [batches, m, k, n] = [batch, rows, summed, columns].map((letters) =>
    tf.util.sizeFromShape(extent(letters)),
  ) as [number, number, number, number];
  const letters = batch + rows + columns;
  const out = runtime.output(extent(letters));
  const [pa, pb, pc] = [left.x, right.x, out].map((x) => runtime.address(x)) as [number, number, number];
  multiply(runtime, { transposeA, transposeB, m, n, k, batches, a: pa, b: pb, c: pc });
  release(runtime, left);
  release(runtime, right);
  return { x: out, letters, own: true };
}

/** Einsum by transpositions, sums and matmuls, from left to right; tfjs's wasm backend has none. */
function einsum(runtime: Runtime, tensors: readonly tf.TensorInfo[], equation: string): tf.TensorInfo {
  const { terms, result } = parse(equation, tensors.length);
  const extents = new Map<string, number>();
  for (const [i, letters] of terms.entries()) {
    const { shape } = tensors[i]!;
    if (shape.length !== letters.length)
      throw refusal('Einsum', `takes ${letters.length} axes for '${letters}', got [${shape}]`);
    for (const [axis, c] of [...letters].entries()) {
      const before = extents.get(c) ?? shape[axis]!;
      if (before !== shape[axis])
        throw refusal('Einsum', `takes one extent per letter, '${c}' has ${before} and ${shape[axis]}`);
      extents.set(c, before);
    }
  }
  let term: Term = { x: tensors[0]!, letters: terms[0]!, own: false };
  for (let i = 1; i < tensors.length; i++) {
    const needed = result + terms.slice(i + 1).join('');
    term = contract(runtime, term, { x: tensors[i]!, letters: terms[i]!, own: false }, needed);
  }
  term = arrange(runtime, reduceTo(runtime, term, result), result);
  return term.own ? term.x : runtime.share(term.x);
}

export const einsumKernels: readonly Registration[] = [
  over('Einsum', (runtime, stock) => (call) => {
    const tensors = call.inputs as unknown as tf.TensorInfo[];
    if (!allFloat(...tensors)) return stock(call);
    return einsum(runtime, tensors, (call.attrs as unknown as { equation: string }).equation);
  }),
];
