import { describeEachBackend, expectClose, expectNoLeak, isHooked } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { interpret, type KernelHandler } from '../interpret/index.ts';
import { TreeMismatchError, treeDispose } from '../tree/index.ts';
import { hvp } from './hvp.ts';
import { jvp, jvpMany } from './jvp.ts';
import { NoJvpRuleError, registerJvp } from './rules/table.ts';
import { valueAndGrad } from './value-and-grad.ts';

const hooked = isHooked;

function recorder(names: string[]): KernelHandler {
  return {
    kernel: (name, inputs, attrs, next) => {
      names.push(name);
      return next(name, inputs, attrs);
    },
  };
}

describeEachBackend('jvp', () => {
  it('gives the output and the directional derivative over trees', async () => {
    await expectNoLeak(async () => {
      const p = { w: tf.tensor2d([1, 2, 3, 4], [2, 2]), b: tf.tensor1d([0.5, -0.5]) };
      const x = tf.tensor2d([1, -1, 2, 0], [2, 2]);
      const dp = { w: tf.tensor2d([0.1, 0.2, -0.3, 0.4], [2, 2]), b: tf.tensor1d([1, -1]) };
      const dx = tf.tensor2d([1, 0, 0, 1], [2, 2]);
      const f = (q: typeof p, z: tf.Tensor2D) => ({ y: tf.square(tf.add(tf.matMul(z, q.w as tf.Tensor2D), q.b)) });
      const [out, tangent] = jvp(f, [p, x], [dp, dx]);
      await expectClose(out.y, [2.25, 6.25, 6.25, 12.25]);
      // By hand: 2·(xW + b)·(ẋW + xẆ + ḃ).
      await expectClose(tangent.y, [
        2 * -1.5 * (1 + 0.4 + 1),
        2 * -2.5 * (2 - 0.2 - 1),
        2 * 2.5 * (3 + 0.2 + 1),
        2 * 3.5 * (4 + 0.4 - 1),
      ]);
      treeDispose([p, x, dp, dx, out, tangent]);
    });
  });

  it('takes null for zero, anywhere, and then runs no kernel more', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2]);
      const p = { a: { s: tf.scalar(3) }, n: tf.tensor1d([1, 2], 'int32') };
      const seen: string[] = [];
      const f = (q: typeof p, z: tf.Tensor) => tf.mul(q.a.s, tf.exp(z));
      const zero = interpret(recorder(seen), () => jvp(f, [p, x], [null, undefined]));
      expect(seen).toEqual(['Identity', 'Identity', 'Identity', 'Exp', 'Multiply']); // entry clones, then f
      await expectClose(zero[1], [0, 0], 0);
      const [out, tangent] = jvp(f, [p, x], [{ a: null }, x]);
      await expectClose(tangent, [3 * Math.E, 6 * Math.E ** 2]);
      treeDispose([x, p, zero, out, tangent]);
    });
  });

  it('hands aux through, and gives outputs that f did not make as the caller’s own', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2]);
      const captured = tf.scalar(7);
      const f = (z: tf.Tensor): [tf.Tensor[], { n: tf.Tensor }] => [[z, captured, z], { n: tf.sum(z) }];
      const [out, tangent, aux] = jvp(f, [x], [x], { hasAux: true });
      await expectClose(tangent[0]!, [1, 2], 0);
      await expectClose(tangent[1]!, [0], 0);
      await expectClose(tangent[2]!, [1, 2], 0);
      await expectClose(aux.n, [3]);
      treeDispose([out, tangent, aux]);
      await expectClose(captured, [7], 0);
      treeDispose([x, captured]);
    });
  });

  it('follows tidy, dispose, keep, and variables that are assigned', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2]);
      const ones = tf.ones([2]);
      const v = tf.tidy(() => tf.variable(tf.tensor1d([3, 4])));
      const kept: tf.Tensor[] = [];
      const f = (z: tf.Tensor) => {
        const early = tf.square(z);
        const y = tf.tidy(() => tf.mul(early, z));
        early.dispose();
        kept.push(tf.keep(tf.neg(y)));
        const doubled = tf.mul(z, 2) as tf.Tensor1D;
        v.assign(doubled);
        doubled.dispose();
        const assigned = tf.mul(v, y);
        v.assign(tf.tensor1d([9, 9]));
        return tf.add(assigned, v);
      };
      const [out, tangent] = jvp(f, [x], [ones]);
      await expectClose(out, [11, 41]);
      await expectClose(tangent, [8, 64]);
      treeDispose([x, ones, v, out, tangent, kept]);
    });
  });

  it('differentiates variables that are read through closures, and their captured copies not', async () => {
    await expectNoLeak(async () => {
      const v = tf.tidy(() => tf.variable(tf.scalar(3)));
      const x = tf.scalar(3);
      const one = tf.scalar(1);
      const [a, closed] = jvp((_: tf.Tensor) => tf.square(v), [v], [one]);
      await expectClose(closed, [6]);
      const [b, captured] = jvp((z: tf.Tensor) => tf.mul(z, x), [x], [one]);
      await expectClose(captured, [3]);
      const [c, twice] = jvp((y: tf.Tensor, z: tf.Tensor) => tf.mul(y, tf.square(z)), [x, x], [one, null]);
      await expectClose(twice, [9]);
      treeDispose([v, x, one, a, closed, b, captured, c, twice]);
    });
  });

  it('does not confuse perturbations of nested passes', async () => {
    await expectNoLeak(async () => {
      const [x, one] = [tf.scalar(3), tf.scalar(1)];
      const d = (f: (z: tf.Tensor) => tf.Tensor) => (z: tf.Tensor) => tf.tidy(() => jvp(f, [z], [one])[1]);
      // d/dx [x · d/dy (x + y)] = 1
      const a = d((z) => tf.mul(z, d((y) => tf.add(z, y))(one)))(x);
      await expectClose(a, [1]);
      // d/dx [x · (d/dy x·y²)(y = x)] = 6x²
      const b = d((z) => tf.mul(z, d((y) => tf.mul(z, tf.square(y)))(z)))(x);
      await expectClose(b, [54]);
      const c = d(d(d((z) => tf.exp(tf.mul(z, 2)))))(one);
      await expectClose(c, [8 * Math.exp(2)], 1e-6);
      treeDispose([x, one, a, b, c]);
    });
  });

  it('differentiates a gradient, also one whose function captures the outer primal', async () => {
    await expectNoLeak(async () => {
      const [x, one] = [tf.scalar(3), tf.scalar(1)];
      const gradient = (z: tf.Tensor) => {
        const [value, slope] = valueAndGrad((y: tf.Tensor) => tf.mul(z, tf.square(y)))(z);
        value.dispose();
        return tf.mul(z, slope);
      };
      const [out, tangent] = jvp(gradient, [x], [one]);
      await expectClose(tangent, [54]);
      treeDispose([x, one, out, tangent]);
    });
  });

  it('is seen by an interpreter around it, which an interpreter inside is not', async () => {
    const x = tf.scalar(0.5);
    const f = (z: tf.Tensor) => tf.tanh(tf.mul(z, z));
    const count = (run: (names: string[]) => unknown): number => {
      const names: string[] = [];
      tf.dispose(run(names) as tf.Tensor[]);
      return names.length;
    };
    const around = count((names) => interpret(recorder(names), () => jvp(f, [x], [x])));
    const inside = count((names) => jvp((z: tf.Tensor) => interpret(recorder(names), () => f(z)), [x], [x]));
    expect(inside).toBe(2);
    expect(around).toBeGreaterThan(6);
    x.dispose();
  });

  it('refuses what it cannot do, and leaves nothing behind', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2]);
      const ids = tf.tensor1d([1, 2], 'int32');
      const wrong = tf.ones([3]);
      const double = (z: tf.Tensor) => tf.mul(z, 2);
      expect(() => jvp(double, [x], [wrong])).toThrow(/'0'.*float32 \[2\].*got float32 \[3\]/);
      expect(() => jvp(double, [x], [ids])).toThrow(TreeMismatchError);
      expect(() => jvp(double, [ids], [ids])).toThrow(/int32 and has no tangent/);
      expect(() => jvp((p: { a: tf.Tensor }) => p.a, [{ a: x }], [{ b: x }])).toThrow(/'0\.b'.*without a primal/);
      expect(() => jvp((p: { a: tf.Tensor }) => p.a, [{ a: x }], [x])).toThrow(/'0'.*subtree/);
      expect(() => jvp((async (z: tf.Tensor) => tf.exp(z)) as never, [x], [x])).toThrow(/asynchronous/);
      expect(hooked()).toBe(false);
      const faulty = (z: tf.Tensor): tf.Tensor => {
        tf.exp(z);
        throw new Error('in f');
      };
      expect(() => jvp(faulty, [x], [x])).toThrow('in f');
      expect(() => valueAndGrad((z: tf.Tensor) => tf.sum(jvp(double, [z], [x])[1]))(x)).toThrow(/forward over reverse/);
      expect(hooked()).toBe(false);
      treeDispose([x, ids, wrong]);
    });
  });

  it('refuses reads of dependent values if it is strict', async () => {
    await expectNoLeak(async () => {
      const [x, other] = [tf.tensor1d([1, 2]), tf.scalar(3)];
      const reading = (z: tf.Tensor) => {
        void z.data();
        return tf.square(z);
      };
      const [out, tangent] = jvp(reading, [x], [x]);
      await expectClose(tangent, [2, 8]);
      expect(() => jvp(reading, [x], [x], { strict: true })).toThrow(/reads the values of a tensor \[2\]/);
      const harmless = (z: tf.Tensor) => {
        void other.data();
        return tf.square(z);
      };
      treeDispose(jvp(harmless, [x], [x], { strict: true }));
      await expectClose(x, [1, 2], 0);
      treeDispose([x, other, out, tangent]);
    });
  });

  it('names a kernel without a rule, takes a registered one, and gives it back', async () => {
    const kernel = 'FrugalTestCube';
    const backendName = tf.getBackend();
    tf.registerKernel({
      kernelName: kernel,
      backendName,
      kernelFunc: ({ inputs }) => {
        const x = inputs.x as tf.Tensor;
        return tf.tidy(() => tf.mul(x, tf.square(x)));
      },
    });
    const cube = (x: tf.Tensor): tf.Tensor => tf.engine().runKernel(kernel, { x });
    await expectNoLeak(async () => {
      const x = tf.tensor1d([1, 2]);
      expect(() => jvp(cube, [x], [x])).toThrow(NoJvpRuleError);
      expect(() => jvp(cube, [x], [x])).toThrow(/'FrugalTestCube'.*registerJvp\('FrugalTestCube', rule\)/);
      const failing = registerJvp(kernel, () => {
        tf.exp(1);
        throw new Error('in rule');
      });
      expect(() => jvp(cube, [x], [x])).toThrow('in rule');
      const direct = registerJvp(kernel, (call) => tf.mul(tf.mul(3, tf.square(call.input('x'))), call.d('x')!));
      const [a, tangent] = jvp(cube, [x], [x]);
      await expectClose(tangent, [3, 24]);
      const directions = tf.tensor2d([1, 0, 0, 1, 1, 1], [3, 2]);
      const [b, looped] = jvpMany(cube, [x], [directions]);
      await expectClose(looped, [3, 0, 0, 12, 3, 12]);
      direct();
      failing();
      const composed = registerJvp(kernel, (call) => call.through(() => tf.pow(call.input('x'), tf.scalar(3))), {
        many: true,
      });
      const [c, through] = jvpMany(cube, [x], [directions]);
      await expectClose(through, [3, 0, 0, 12, 3, 12]);
      composed();
      expect(() => jvp(cube, [x], [x])).toThrow(NoJvpRuleError);
      treeDispose([x, a, tangent, directions, b, looped, c, through]);
    });
    tf.unregisterKernel(kernel, backendName);
  });

  it('ignores the gradients of customGrad and differentiates what is inside', async () => {
    await expectNoLeak(async () => {
      const x = tf.scalar(1);
      const odd = tf.customGrad((z) => ({ value: tf.square(z as tf.Tensor), gradFunc: (dy) => tf.mul(dy, 100) }));
      const [out, tangent] = jvp((z: tf.Tensor) => odd(z), [x], [x]);
      await expectClose(tangent, [2]);
      treeDispose([x, out, tangent]);
    });
  });
});

describeEachBackend('jvpMany', () => {
  it('gives each direction what jvp gives, with one call of f', async () => {
    await expectNoLeak(async () => {
      const x = tf.tensor2d([1, -2, 0.5, 3], [2, 2]);
      const w = tf.tensor2d([0.3, -0.1, 0.2, 0.7], [2, 2]);
      const dw = tf.tensor3d([1, 0, 0, 0, 0, 1, 1, 0, 0.5, 0.5, -1, 2], [3, 2, 2]);
      let calls = 0;
      const f = (z: tf.Tensor, m: tf.Tensor) => {
        calls++;
        return { h: tf.tanh(tf.matMul(z as tf.Tensor2D, m as tf.Tensor2D)), n: tf.onesLike(z) };
      };
      const [out, tangents] = jvpMany(f, [x, w], [null, dw]);
      expect(calls).toBe(1);
      expect(tangents.h.shape).toEqual([3, 2, 2]);
      await expectClose(tangents.n, new Float32Array(12), 0);
      for (let k = 0; k < 3; k++) {
        const direction = tf.tidy(() => tf.reshape(tf.slice(dw, k, 1), [2, 2]));
        const [value, tangent] = jvp(f, [x, w], [null, direction]);
        const mine = tf.tidy(() => tf.reshape(tf.slice(tangents.h, k, 1), [2, 2]));
        await expectClose(mine, tangent.h, 1e-6);
        treeDispose([direction, value, tangent, mine]);
      }
      treeDispose([x, w, dw, out, tangents]);
    });
  });

  it('wants one leading axis', () => {
    const x = tf.tensor1d([1, 2]);
    const [two, three] = [tf.ones([2, 2]), tf.ones([3, 2])];
    const f = (a: tf.Tensor, b: tf.Tensor) => tf.add(a, b);
    expect(() => jvpMany(f, [x, x], [two, three])).toThrow(/2 and 3/);
    expect(() => jvpMany(f, [x, x], [null, null])).toThrow(/got none/);
    expect(() => jvpMany(f, [x, x], [x, null])).toThrow(/\[K,2\], got float32 \[2\]/);
    treeDispose([x, two, three]);
  });
});

describeEachBackend('hvp', () => {
  it('is the Hessian times a vector', async () => {
    await expectNoLeak(async () => {
      const p = { x: tf.tensor1d([1, 2]), y: tf.scalar(3) };
      const v = { x: tf.tensor1d([1, -1]), y: tf.scalar(0.5) };
      // f = y·x₀²·x₁ + exp(y): by hand.
      const f = (q: typeof p) =>
        tf.add(tf.mul(q.y, tf.mul(tf.square(tf.slice(q.x, 0, 1)), tf.slice(q.x, 1, 1))), tf.exp(q.y));
      const product = hvp((q: typeof p) => tf.sum(f(q)), p, v);
      await expectClose(product.x, [2 * 3 * 2 - 2 * 3 + 0.5 * 4, 2 * 3 + 0.5 * 1]);
      await expectClose(product.y, [4 - 1 + 0.5 * Math.exp(3)]);
      treeDispose([p, v, product]);
    });
  });
});
