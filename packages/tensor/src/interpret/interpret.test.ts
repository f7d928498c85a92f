import { describeEachBackend, expectNoLeak, isHooked } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { interpret, type KernelHandler } from './index.ts';

/** Writes down what it sees. */
function recorder(): KernelHandler & { names: string[]; created: (t: tf.Tensor) => void; births: number } {
  const self = {
    names: [] as string[],
    births: 0,
    kernel: ((name, inputs, attrs, next) => {
      self.names.push(name);
      return next(name, inputs, attrs);
    }) as KernelHandler['kernel'],
    created: () => {
      self.births++;
    },
  };
  return self;
}

/** Doubles every kernel by running it twice. */
const twice: KernelHandler = {
  kernel(name, inputs, attrs, next) {
    tf.dispose(tf.engine().runKernel(name, inputs as never, attrs as never));
    return next(name, inputs, attrs);
  },
};

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

describeEachBackend('interpret', () => {
  it('sees the kernels of the forward and the backward pass, and inside customGrad', async () => {
    await expectNoLeak(() => {
      const [forward, backward] = [recorder(), recorder()];
      const x = tf.tensor1d([1, 2, 3]);
      tf.dispose(interpret(forward, () => tf.tidy(() => tf.tanh(tf.mul(x, x)))));
      expect(forward.names).toEqual(['Multiply', 'Tanh']);
      const labels = tf.tensor2d([[0, 1]]);
      const logits = tf.tensor2d([[1, 2]]);
      const loss = (z: tf.Tensor) => tf.losses.softmaxCrossEntropy(labels, z) as tf.Scalar;
      tf.dispose(interpret(backward, () => tf.grad(loss)(logits)));
      expect(backward.names).toEqual(expect.arrayContaining(['Max', 'Exp', 'Log', 'Neg']));
      tf.dispose([x, labels, logits]);
    });
  });

  it('takes its hooks off, also after an error', () => {
    const hooked = isHooked;
    const assign = tf.Variable.prototype.assign;
    expect(() =>
      interpret(recorder(), () => {
        expect(hooked()).toBe(true);
        throw new Error('in f');
      }),
    ).toThrow('in f');
    const faulty: KernelHandler = {
      kernel() {
        throw new Error('in handler');
      },
    };
    const x = tf.scalar(1);
    const outside = recorder();
    expect(() => interpret(outside, () => interpret(faulty, () => tf.neg(x)))).toThrow('in handler');
    expect(hooked()).toBe(false);
    expect(tf.Variable.prototype.assign).toBe(assign);
    x.dispose();
  });

  it('nests: what a handler runs is seen by the handlers outside of it', async () => {
    await expectNoLeak(() => {
      const [inside, middle, outside] = [recorder(), recorder(), recorder()];
      const x = tf.scalar(3);
      const y = interpret(outside, () =>
        interpret(twice, () => interpret(middle, () => interpret(twice, () => interpret(inside, () => tf.neg(x))))),
      );
      expect([inside, middle, outside].map((r) => r.names.length)).toEqual([1, 2, 4]);
      tf.dispose([x, y]);
    });
  });

  it('lets a handler start an interpreter of its own, hidden from the inner ones', async () => {
    await expectNoLeak(() => {
      const [inside, own, outside] = [recorder(), recorder(), recorder()];
      const starting: KernelHandler = {
        kernel(name, inputs, attrs, next) {
          interpret(own, () => tf.square(2).dispose());
          return next(name, inputs, attrs);
        },
      };
      const x = tf.scalar(3);
      interpret(outside, () =>
        interpret(starting, () =>
          interpret(inside, () => {
            tf.dispose([tf.neg(x), tf.abs(x)]);
          }),
        ),
      );
      expect(inside.names).toEqual(['Neg', 'Abs']);
      expect(own.names).toEqual(['Square', 'Square']);
      expect(outside.names).toEqual(['Square', 'Neg', 'Square', 'Abs']);
      x.dispose();
    });
  });

  it('lets a handler replace a kernel', async () => {
    await expectNoLeak(async () => {
      const x = tf.scalar(3);
      const swap: KernelHandler = {
        kernel: (name, inputs, attrs, next) => next(name === 'Neg' ? 'Square' : name, inputs, attrs),
      };
      const y = interpret(swap, () => tf.neg(x));
      expect(Array.from(await y.data())).toEqual([9]);
      tf.dispose([x, y]);
    });
  });

  it('tells of births, deaths, assignments, and of the copies that a tape keeps', async () => {
    await expectNoLeak(() => {
      const heard: string[] = [];
      const x = tf.scalar(2);
      const v = tf.tidy(() => tf.variable(tf.scalar(1)));
      const label = (t: tf.Tensor): string => (t.id === v.id ? 'v' : t.id === x.id ? 'x' : 'other');
      const handler: KernelHandler = {
        kernel: (name, inputs, attrs, next) => next(name, inputs, attrs),
        cloned: (original) => heard.push(`cloned ${label(original)}`),
        created: (t) => heard.push(`created ${label(t)}`),
        disposed: (t) => heard.push(`disposed ${label(t)}`),
        assigned: (variable, value) => heard.push(`${label(variable)} := ${label(value)}`),
      };
      interpret(handler, () => v.assign(x));
      expect(heard).toEqual(['disposed v', 'created v', 'v := x']);
      heard.length = 0;
      interpret(handler, () => tf.tidy(() => void tf.square(x)));
      expect(heard).toEqual(['created other', 'disposed other']);
      heard.length = 0;
      tf.dispose(interpret(handler, () => tf.grad((z) => tf.square(z))(x)));
      expect(heard.filter((line) => line.startsWith('cloned'))).toEqual(['cloned x']);
      tf.dispose([x, v]);
    });
  });

  it('does not tell of copies that no tape asked for', () => {
    const copies: tf.Tensor[] = [];
    const handler: KernelHandler = {
      kernel: (name, inputs, attrs, next) => next(name, inputs, attrs),
      cloned: (_, copy) => copies.push(copy),
    };
    const x = tf.scalar(2);
    interpret(handler, () => tf.tidy(() => void tf.clone(tf.tanh(x))));
    expect(copies).toEqual([]);
    x.dispose();
  });

  it('stays open until an asynchronous function ends, and refuses a second one meanwhile', async () => {
    await expectNoLeak(async () => {
      const [first, inner] = [recorder(), recorder()];
      const running = interpret(first, async () => {
        await pause();
        interpret(inner, () => tf.scalar(1).dispose());
        tf.dispose(interpret(inner, () => tf.neg(1)));
        await pause();
        tf.dispose(tf.abs(1));
        return 7;
      });
      expect(() => interpret(recorder(), async () => 1)).toThrow(/ASYNC|Await the other one first/);
      expect(await running).toBe(7);
      expect(first.names).toEqual(['Neg', 'Abs']);
      expect(inner.names).toEqual(['Neg']);
      expect(isHooked()).toBe(false);
      await expect(interpret(recorder(), () => Promise.reject(new Error('later')))).rejects.toThrow('later');
      expect(isHooked()).toBe(false);
    });
  });
});
