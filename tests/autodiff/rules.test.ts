import { interpret, jvp, jvpMany, type KernelHandler, vjp } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it, type TestContext } from 'vitest';
import { type Case, results } from './program.ts';
import { runOracle } from './run-oracle.ts';
import { cases, runs, type Sample, samplesOf, tensors } from './samples.ts';

type Report = Record<string, { tangent: number[]; error: number }[]>;
const oracle = await runOracle<Report>('oracle.ts', String(runs));

async function read(out: readonly tf.Tensor[]): Promise<number[]> {
  const lists = await Promise.all(out.map(async (t) => [...((await t.data()) as Float32Array)]));
  tf.dispose([...out]);
  return lists.flat();
}

/** The largest difference, relative to the largest number. */
function distance(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  const scale = 1 + Math.max(0, ...expected.map(Math.abs));
  const worst = Math.max(0, ...actual.map((x, i) => Math.abs(x - expected[i]!) / scale));
  return Number.isNaN(worst) ? Number.POSITIVE_INFINITY : worst;
}

const listed =
  (sample: Sample) =>
  (...xs: tf.Tensor[]): tf.Tensor[] => [...results(sample.program, xs)];

function missingKernel(error: unknown): string | undefined {
  return /Kernel '(\w+)' not registered/.exec((error as Error).message)?.[1];
}

/** Skips, and says so, where the backend lacks a kernel. */
async function orSkip(context: TestContext, body: () => Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    const missing = missingKernel(error);
    if (missing === undefined) throw error;
    context.skip(`${tf.getBackend()} has no kernel ${missing}`);
  }
}

async function agrees(test: Case): Promise<void> {
  for (const [i, sample] of samplesOf(test, runs).entries()) {
    const label = `${test.name} ${sample.program.label}`;
    const [xs, vs] = [tensors(sample, sample.primals), tensors(sample, sample.tangents)];
    const before = tf.memory().numTensors;
    const [out, tangent] = jvp(listed(sample), xs, vs);
    expect(tf.memory().numTensors - before, `${label}: tensors left`).toBe(2 * out.length);
    expect(distance(await read(tangent), oracle[test.name]![i]!.tangent), label).toBeLessThan(2e-6);
    tf.dispose([out, xs, vs]);
  }
}

async function inProducts(test: Case): Promise<void> {
  for (const sample of samplesOf(test, runs)) {
    const [xs, vs] = [tensors(sample, sample.primals), tensors(sample, sample.tangents)];
    const [out, tangent] = jvp(listed(sample), xs, vs);
    const cotangent = out.map((y) => tf.tidy(() => tf.reshape(tf.cos(tf.add(tf.range(0, y.size), 1)), y.shape)));
    const [value, pullback] = vjp(listed(sample), xs);
    const gradients = pullback(cotangent);
    const [v, jv, c, cj] = [await read(vs), await read(tangent), await read(cotangent), await read(gradients)];
    const terms = [...c.map((a, i) => a * jv[i]!), ...cj.map((a, i) => -a * v[i]!)];
    const [sum, scale] = [terms.reduce((a, b) => a + b, 0), terms.reduce((a, b) => a + Math.abs(b), 1)];
    expect(Math.abs(sum) / scale, `${test.name} ${sample.program.label}`).toBeLessThan(2e-6);
    pullback.dispose();
    tf.dispose([xs, out, value]);
  }
}

async function inParallel(test: Case): Promise<void> {
  for (const sample of samplesOf(test, Math.ceil(runs / 2))) {
    const xs = tensors(sample, sample.primals);
    // Directions of different scale, so that mixing them up shows.
    const scales = [1, -0.5, 2];
    const vs = sample.program.inputs.map(({ shape }, i) =>
      tf.tensor(
        scales.flatMap((s, k) => sample.tangents[i]!.map((x, j) => s * x + k * Math.cos(j))),
        [3, ...shape],
      ),
    );
    const [out, many] = jvpMany(listed(sample), xs, vs);
    const all = await read(many.map((t) => tf.transpose(t, [0, ...[...t.shape.keys()].slice(1)])));
    const singles: number[][] = [];
    for (let k = 0; k < 3; k++) {
      const direction = vs.map((v, i) => tf.tidy(() => tf.reshape(tf.slice(v, k, 1), xs[i]!.shape)));
      const [value, tangent] = jvp(listed(sample), xs, direction);
      singles.push(await read(tangent));
      tf.dispose([value, direction]);
    }
    const sizes = out.map((y) => y.size);
    const expected = sizes.flatMap((size, o) => {
      const from = sizes.slice(0, o).reduce((a, b) => a + b, 0);
      return singles.flatMap((row) => row.slice(from, from + size));
    });
    expect(distance(all, expected), `${test.name} ${sample.program.label}`).toBeLessThan(1e-5);
    tf.dispose([xs, vs, out, many]);
  }
}

describe('JVP rules in float64', () => {
  it.each(cases)('$name: central differences agree', (test) => {
    const worst = Math.max(...oracle[test.name]!.map(({ error }) => error));
    expect(worst).toBeLessThan(test.tolerance ?? 1e-7);
  });
});

/** The kernels that a case says to run, the backend has, and no sample of it ran. */
function missed(test: Case): string[] {
  const seen = new Set<string>();
  const recorder: KernelHandler = {
    kernel(name, inputs, attrs, next) {
      seen.add(name);
      return next(name, inputs, attrs);
    },
  };
  for (const sample of samplesOf(test, runs)) {
    try {
      tf.tidy(() => {
        const xs = tensors(sample, sample.primals);
        interpret(recorder, () => void results(sample.program, xs));
      });
    } catch (error) {
      if (missingKernel(error) !== undefined) return [];
      throw error;
    }
  }
  return test.kernels.filter((kernel) => tf.getKernel(kernel, tf.getBackend()) != null && !seen.has(kernel));
}

describeEachBackend('JVP rules', (backend) => {
  it('are run by the cases that say so', () => {
    const able = cases.filter((test) => test.faulty?.[backend] === undefined);
    const found = able.map((test) => [test.name, ...missed(test)]).filter((list) => list.length > 1);
    expect(found).toEqual([]);
  });

  for (const test of cases) {
    const fault = test.faulty?.[backend];
    const each = (what: string, body: (test: Case) => Promise<void>, reason = fault): void =>
      it.skipIf(reason)(`${test.name}: ${what}${reason ? ` (${reason})` : ''}`, (context) =>
        orSkip(context, () => body(test)),
      );
    each('agrees with float64', agrees);
    each('jvpMany is jvp for each direction', inParallel);
    each('<c, Jv> = <Jᵀc, v>', inProducts, test.noVjp ?? fault);
  }
});
