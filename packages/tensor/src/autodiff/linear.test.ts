import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { interpret, type KernelHandler } from '../interpret/index.ts';
import { rankOne } from '../structured/index.ts';
import { treeDispose } from '../tree/index.ts';
import { customJvp } from './custom-jvp.ts';
import { hvp } from './hvp.ts';
import { jacfwd } from './jacfwd.ts';
import { jvp, jvpMany } from './jvp.ts';
import { linearize } from './linearize.ts';
import { valueAndGrad } from './value-and-grad.ts';

function some(shape: number[], seed: number): tf.Tensor {
  const size = shape.reduce((n, extent) => n * extent, 1);
  return tf.tensor(
    Array.from({ length: size }, (_, i) => Math.sin(seed + 1.7 * i)),
    shape,
  );
}

function counter(): KernelHandler & { names: string[] } {
  const names: string[] = [];
  return {
    names,
    kernel: (name, inputs, attrs, next) => {
      names.push(name);
      return next(name, inputs, attrs);
    },
  };
}

type Params = { w: tf.Tensor; b: tf.Tensor };
const loss = (p: Params, x: tf.Tensor): tf.Tensor => {
  const h = tf.tanh(tf.add(tf.matMul(x as tf.Tensor2D, p.w as tf.Tensor2D), p.b));
  return tf.mean(
    tf.square(
      tf.sub(
        tf.softmax(h),
        tf.tidy(() => tf.sigmoid(h)),
      ),
    ),
  );
};

describeEachBackend('linearize', () => {
  it('gives what jvp gives, for one direction and for several, and runs no primal kernel again', async () => {
    await expectNoLeak(async () => {
      const [x, w, b] = [some([5, 3], 1), some([3, 4], 2), some([4], 3)];
      const f = (p: Params, z: tf.Tensor) => {
        const h = tf.tanh(tf.add(tf.matMul(z as tf.Tensor2D, p.w as tf.Tensor2D), p.b));
        return { y: tf.softmax(h), s: tf.sum(h), n: tf.onesLike(h) };
      };
      const [out, derivative] = linearize(f, [{ w, b }, x]);
      for (const seed of [4, 5]) {
        const [dw, db] = [some([3, 4], seed), some([4], seed + 2)];
        const seen = counter();
        const tangent = interpret(seen, () => derivative([{ w: dw, b: db }, null]));
        expect(seen.names).not.toContain('Tanh');
        expect(seen.names).not.toContain('Softmax');
        const [same, expected] = jvp(f, [{ w, b }, x], [{ w: dw, b: db }, null]);
        await expectClose(tangent.y, expected.y, 1e-6);
        await expectClose(tangent.s, expected.s, 1e-6);
        await expectClose(tangent.n, expected.n, 0);
        await expectClose(out.y, same.y, 0);
        treeDispose([dw, db, tangent, same, expected]);
      }
      const many = some([3, 3, 4], 9);
      const [same, expected] = jvpMany(f, [{ w, b }, x], [{ w: many }, null]);
      const tangents = derivative.many([{ w: many }, null]);
      await expectClose(tangents.y, expected.y, 1e-6);
      await expectClose(tangents.n, expected.n, 0);
      const leaf = rankOne(some([3], 1), some([4], 2));
      const dense = leaf.materialize();
      const [a, c] = [derivative([{ w: leaf }, null]), derivative([{ w: dense }, null])];
      await expectClose(a.y, c.y, 1e-6);
      leaf.dispose();
      derivative.dispose();
      derivative.dispose();
      expect(() => derivative([null, null])).toThrow(/disposed/);
      treeDispose([x, w, b, out, many, same, expected, tangents, dense, a, c]);
    });
  });

  it('of a gradient is a Hessian-vector product that can be repeated', async () => {
    await expectNoLeak(async () => {
      const [x, w, b] = [some([5, 3], 1), some([3, 4], 2), some([4], 3)];
      const f = (p: Params) => loss(p, x);
      const gradient = (p: Params) => {
        const [value, grads] = valueAndGrad(f)(p);
        value.dispose();
        return grads;
      };
      const [grads, product] = linearize(gradient, [{ w, b }]);
      for (const seed of [1, 2]) {
        const v = { w: some([3, 4], seed), b: some([4], seed) };
        const [mine, expected] = [product([v]), hvp(f, { w, b }, v)];
        await expectClose(mine.w, expected.w, 1e-6);
        await expectClose(mine.b, expected.b, 1e-6);
        treeDispose([v, mine, expected]);
      }
      product.dispose();
      treeDispose([x, w, b, grads]);
    });
  });

  it('follows variables that are read through closures and assigned', async () => {
    await expectNoLeak(async () => {
      const v = tf.tidy(() => tf.variable(tf.scalar(3)));
      const other = tf.tidy(() => tf.variable(tf.scalar(1)));
      const one = tf.scalar(1);
      const f = (_: tf.Tensor) =>
        tf.tidy(() => {
          const first = tf.mul(other, v);
          other.assign(tf.square(v));
          const second = tf.mul(other, v);
          other.assign(one);
          return tf.stack([first, second, tf.mul(other, 2)]);
        });
      const [out, derivative] = linearize(f, [v]);
      const tangent = derivative([one]);
      await expectClose(tangent, [1, 27, 0]);
      derivative.dispose();
      treeDispose([v, other, one, out, tangent]);
    });
  });

  it('leaves nothing behind if the function throws', async () => {
    await expectNoLeak(() => {
      const x = tf.scalar(1);
      const faulty = (z: tf.Tensor): tf.Tensor => {
        tf.exp(z);
        throw new Error('in f');
      };
      expect(() => linearize(faulty, [x])).toThrow('in f');
      x.dispose();
    });
  });
});

describeEachBackend('jacfwd', () => {
  it('is the Jacobian, in chunks of any size', async () => {
    await expectNoLeak(async () => {
      const [x, w] = [some([2], 1), some([2, 3], 2)];
      const f = (p: { x: tf.Tensor; w: tf.Tensor }) => tf.tanh(tf.dot(p.x, p.w));
      for (const chunk of [64, 4, 1]) {
        const jacobian = jacfwd(f, { x, w }, { chunk });
        expect(jacobian.x.shape).toEqual([3, 2]);
        expect(jacobian.w.shape).toEqual([3, 2, 3]);
        const out = tf.tidy(() => f({ x, w }));
        const y = await out.data();
        out.dispose();
        const [xs, ws] = [await x.data(), await w.data()];
        const slope = Array.from(y, (value) => 1 - value ** 2);
        const byX = slope.flatMap((s, j) => [s * ws[j]!, s * ws[3 + j]!]);
        const byW = slope.flatMap((s, j) => [0, 1].flatMap((i) => [0, 1, 2].map((k) => (k === j ? s * xs[i]! : 0))));
        await expectClose(jacobian.x, byX, 1e-6);
        await expectClose(jacobian.w, byW, 1e-6);
        treeDispose(jacobian);
      }
      const scalar = tf.scalar(2);
      const slope = jacfwd((p: tf.Tensor) => tf.square(p), scalar);
      await expectClose(slope, [4]);
      expect(() => jacfwd(f, { x, w }, { chunk: 0 })).toThrow(/chunk/);
      treeDispose([x, w, scalar, slope]);
    });
  }, 10_000);
});

describeEachBackend('customJvp', () => {
  const cube = customJvp(
    (x: tf.Tensor) => tf.mul(x, tf.square(x)),
    ([x], [dx]) => tf.mul(dx, tf.mul(30, tf.square(x))), // ten times too much, so that it shows
  );

  it('replaces the rules of the kernels inside, at every level of nesting', async () => {
    await expectNoLeak(async () => {
      const [x, one] = [tf.scalar(2), tf.scalar(1)];
      const d = (f: (z: tf.Tensor) => tf.Tensor) => (z: tf.Tensor) => tf.tidy(() => jvp(f, [z], [one])[1]);
      const plain = tf.tidy(() => cube(x));
      await expectClose(plain, [8]);
      const first = d(cube)(x);
      await expectClose(first, [120]);
      const second = d(d(cube))(x);
      await expectClose(second, [120]); // (30 x²)˙ = 60 x
      const [gradient] = [tf.grad(cube)(x)];
      await expectClose(gradient, [12]);
      treeDispose([x, one, plain, first, second, gradient]);
    });
  });

  it('works for trees, several directions, linearize, and outputs that are inputs', async () => {
    await expectNoLeak(async () => {
      const [a, b] = [some([3], 1), some([3], 2)];
      const swap = customJvp(
        (p: { a: tf.Tensor; b: tf.Tensor }) => ({ a: p.b, b: tf.mul(p.a, p.b) }),
        ([p], [dp], out) => ({ a: tf.neg(dp.b), b: tf.add(tf.mul(dp.a, out.b), p.a) }),
      );
      const f = (x: tf.Tensor, y: tf.Tensor) => {
        const out = swap({ a: tf.square(x), b: y });
        return tf.add(out.a, tf.mul(2, out.b));
      };
      const da = some([2, 3], 3);
      const [out, tangents] = jvpMany(f, [a, b], [da, null]);
      const [same, derivative] = linearize(f, [a, b]);
      const again = derivative.many([da, null]);
      const [av, bv, dv] = [await a.data(), await b.data(), await da.data()];
      const expected = Array.from(dv, (d, i) => {
        const [x, y] = [av[i % 3]!, bv[i % 3]!];
        return 2 * (2 * x * d * (x * x * y) + x * x);
      });
      await expectClose(tangents, expected, 1e-5);
      await expectClose(again, expected, 1e-5);
      derivative.dispose();
      treeDispose([a, b, da, out, tangents, same, again]);
    });
  });

  it('stands for kernels that have no rule', async () => {
    await expectNoLeak(async () => {
      const x = some([4], 1);
      const unique = (z: tf.Tensor) => tf.unique(z as tf.Tensor1D).values;
      expect(() => jvp(unique, [x], [x])).toThrow(/'Unique' has no rule/);
      const [out, tangent] = jvp(
        customJvp(unique, (_, [dz]) => tf.mul(dz, 1)),
        [x],
        [x],
      );
      await expectClose(tangent, x, 0);
      const seen = counter();
      const [inner, same] = interpret(seen, () =>
        jvp(
          customJvp(unique, (_, [dz]) => tf.mul(dz, 1)),
          [x],
          [x],
        ),
      );
      expect(seen.names).toEqual(expect.arrayContaining(['Unique', 'Multiply']));
      treeDispose([x, out, tangent, inner, same]);
    });
  });
});
