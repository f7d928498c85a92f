import { jvp, jvpMany } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { normals } from './arrays.ts';
import { expectClose } from './close.ts';
import { expectNoLeak } from './leaks.ts';

type Named<T> = Record<string, T>;

/** A function of float32 tensors, with its definition in plain JavaScript doubles. */
export interface Conformance<A> {
  /** Shapes and whatever else the call takes. */
  attrs: fc.Arbitrary<A>;
  /** The shapes of the tensors that are passed, by name. */
  shapes(attrs: A): Named<number[]>;
  run(inputs: Named<tf.Tensor>, attrs: A): tf.Tensor | tf.Tensor[];
  /** The outputs, flat, in doubles. */
  reference(inputs: Named<Float64Array>, attrs: A): Float64Array[];
  /** Inputs that are disposed by the call. */
  donated?: string[];
  /** Inputs with a gradient, of the first output. */
  differentiable?: string[];
  /** Inputs that `jvp` may move, of all outputs. Default: the differentiable ones. */
  tangents?: string[];
  /** tfjs kernels that the gradient needs; without them its test is skipped. */
  needs?: string[];
  /** Changes the normal numbers that inputs consist of, e.g. to keep them away from a kink. */
  prepare?(name: string, values: Float32Array): Float32Array;
  tolerance?: number;
  runs?: number;
}

const list = (x: tf.Tensor | tf.Tensor[]): tf.Tensor[] => (Array.isArray(x) ? x : [x]);

function inputsOf<A>(kernel: Conformance<A>, attrs: A, seed: number) {
  const shapes = kernel.shapes(attrs);
  const arrays: Named<Float32Array> = {};
  for (const [i, [name, shape]] of Object.entries(shapes).entries()) {
    const values = normals(seed * 16 + i, tf.util.sizeFromShape(shape));
    arrays[name] = kernel.prepare?.(name, values) ?? values;
  }
  const tensors = (): Named<tf.Tensor> =>
    Object.fromEntries(Object.entries(arrays).map(([name, x]) => [name, tf.tensor(x.slice(), shapes[name]!)]));
  const doubles = (): Named<Float64Array> =>
    Object.fromEntries(Object.entries(arrays).map(([name, x]) => [name, Float64Array.from(x)]));
  return { arrays, tensors, doubles };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};

/** Central differences of Σ cotangent · first output of the reference: good to about 1e-8, as all is in doubles. */
function differences<A>(kernel: Conformance<A>, attrs: A, inputs: Named<Float64Array>, name: string, dy: Float32Array) {
  const h = 1e-5;
  return Float64Array.from(inputs[name]!, (value, i) => {
    const at = (x: number): number => {
      inputs[name]![i] = x;
      return dot(dy, kernel.reference(inputs, attrs)[0]!);
    };
    const slope = (at(value + h) - at(value - h)) / (2 * h);
    inputs[name]![i] = value;
    return slope;
  });
}

/**
 * Tests on the current backend: values on random shapes, what is donated and what is not, aliases, gradients, leaks.
 *
 * Call it inside `describeEachBackend`.
 */
export function itConforms<A>(name: string, kernel: Conformance<A>): void {
  const {
    donated = [],
    differentiable = [],
    tangents = differentiable,
    needs = [],
    tolerance = 1e-5,
    runs = 15,
  } = kernel;
  const seeds = fc.nat(10_000);

  it(`${name}: agrees with its definition and frees what it takes`, async () => {
    await fc.assert(
      fc.asyncProperty(kernel.attrs, seeds, async (attrs, seed) => {
        const { arrays, tensors, doubles } = inputsOf(kernel, attrs, seed);
        const expected = kernel.reference(doubles(), attrs);
        await expectNoLeak(async () => {
          const inputs = tensors();
          const outputs = list(kernel.run(inputs, attrs));
          expect(outputs.length).toBe(expected.length);
          for (const [i, output] of outputs.entries()) await expectClose(output, expected[i]!, tolerance);
          for (const [input, tensor] of Object.entries(inputs)) {
            expect(tensor.isDisposed, `${input} is disposed`).toBe(donated.includes(input));
            if (!tensor.isDisposed) await expectClose(tensor, arrays[input]!, 0);
          }
          tf.dispose([outputs, Object.values(inputs).filter((tensor) => !tensor.isDisposed)]);
        });
      }),
      { numRuns: runs },
    );
  });

  if (donated.length > 0) {
    it(`${name}: never writes where somebody else looks`, async () => {
      await fc.assert(
        fc.asyncProperty(kernel.attrs, seeds, async (attrs, seed) => {
          const { arrays, tensors, doubles } = inputsOf(kernel, attrs, seed);
          const expected = kernel.reference(doubles(), attrs);
          for (const alias of [tf.clone, (x: tf.Tensor): tf.Tensor => tf.reshape(x, [x.size])]) {
            const inputs = tensors();
            const aliases = donated.map((input) => alias(inputs[input]!));
            const outputs = list(kernel.run(inputs, attrs));
            for (const [i, output] of outputs.entries()) await expectClose(output, expected[i]!, tolerance);
            for (const [i, input] of donated.entries()) await expectClose(aliases[i]!, arrays[input]!, 0);
            tf.dispose([aliases, outputs, Object.values(inputs).filter((tensor) => !tensor.isDisposed)]);
          }
        }),
        { numRuns: 5 },
      );
    });
  }

  if (differentiable.length > 0) {
    it(`${name}: has the gradients of its definition`, async ({ skip }) => {
      const missing = needs.filter((kernelName) => tf.getKernel(kernelName, tf.getBackend()) == null);
      skip(missing.length > 0, `tfjs has no ${missing.join(', ')} here`);
      await fc.assert(
        fc.asyncProperty(kernel.attrs, seeds, async (attrs, seed) => {
          const { tensors, doubles } = inputsOf(kernel, attrs, seed);
          const inputs = tensors();
          const cotangent = normals(seed + 7, kernel.reference(doubles(), attrs)[0]!.length);
          const f = (...xs: tf.Tensor[]): tf.Tensor => {
            const given = { ...inputs, ...Object.fromEntries(differentiable.map((input, i) => [input, xs[i]!])) };
            for (const input of donated) given[input] = tf.clone(given[input]!);
            const y = list(kernel.run(given, attrs))[0]!;
            return tf.sum(tf.mul(tf.reshape(y, [-1]), tf.tensor1d(cotangent)));
          };
          await expectNoLeak(async () => {
            const xs = differentiable.map((input) => inputs[input]!);
            const gradients = tf.grads(f)(xs);
            for (const [i, input] of differentiable.entries()) {
              const expected = differences(kernel, attrs, doubles(), input, cotangent);
              expect(gradients[i]!.shape, `shape of the gradient in ${input}`).toEqual(inputs[input]!.shape);
              await expectClose(gradients[i]!, expected, Math.max(tolerance, 2e-5));
              // Each alone: gradients that nobody asks for are not made.
              const alone = tf.grad((x) => f(...xs.with(i, x)))(xs[i]!);
              await expectClose(alone, expected, Math.max(tolerance, 2e-5));
              alone.dispose();
            }
            tf.dispose(gradients);
          });
          tf.dispose(inputs);
        }),
        { numRuns: Math.min(runs, 8) },
      );
    });
  }

  if (tangents.length > 0) {
    it(`${name}: has the tangents of its definition`, async () => {
      await fc.assert(
        fc.asyncProperty(kernel.attrs, seeds, fc.nat(), async (attrs, seed, which) => {
          const { arrays, tensors, doubles } = inputsOf(kernel, attrs, seed);
          const present = tangents.filter((input) => input in arrays);
          // All inputs move, or one of them.
          const moving = which % 2 === 0 ? present : [present[(which >> 1) % present.length]!];
          const directions = moving.map((input, i) => normals(seed + 99 + i, arrays[input]!.length));
          const expected = along(kernel, attrs, doubles(), moving, directions);
          const inputs = tensors();
          const f = (xs: tf.Tensor[]): tf.Tensor[] => {
            const given = { ...inputs, ...Object.fromEntries(moving.map((input, i) => [input, xs[i]!])) };
            for (const input of donated) given[input] = tf.clone(given[input]!);
            return list(kernel.run(given, attrs));
          };
          await expectNoLeak(async () => {
            const xs = moving.map((input) => inputs[input]!);
            const one = directions.map((direction, i) => tf.tensor(direction, xs[i]!.shape));
            const two = one.map((direction) => tf.tidy(() => tf.stack([tf.mul(direction, -2), direction])));
            const [out, tangent] = jvp(f, [xs], [one]);
            const [again, both] = jvpMany(f, [xs], [two]);
            for (const [i, dy] of expected.entries()) {
              const far = Math.max(tolerance, 2e-5);
              await expectClose(tangent[i]!, dy, far);
              await expectClose(both[i]!, [...dy.map((x) => -2 * x), ...dy], 2 * far);
            }
            tf.dispose([one, two, out, tangent, again, both]);
          });
          tf.dispose(inputs);
        }),
        { numRuns: Math.min(runs, 10) },
      );
    });
  }
}

/** Central differences of all outputs of the reference in one direction. */
function along<A>(
  kernel: Conformance<A>,
  attrs: A,
  inputs: Named<Float64Array>,
  moving: string[],
  directions: Float32Array[],
): Float64Array[] {
  const h = 1e-5;
  const at = (step: number): Float64Array[] => {
    const moved = { ...inputs };
    for (const [i, input] of moving.entries())
      moved[input] = inputs[input]!.map((x, e) => x + step * directions[i]![e]!);
    return kernel.reference(moved, attrs);
  };
  const [after, before] = [at(h), at(-h)];
  return after.map((output, i) => output.map((x, e) => (x - before[i]![e]!) / (2 * h)));
}
