import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { createMeter, type EnergyCounter, formatCost, GRID_INTENSITY, meter } from './index.ts';

const kernel = (name: string, cost: { kernels: readonly { kernel: string }[] }) =>
  cost.kernels.find((entry) => entry.kernel === name) as Record<string, number> | undefined;

describeEachBackend('meter', (backend) => {
  /** What a reshape shares; TensorFlow's handles have one shape each. */
  const shared = backend !== 'tensorflow';

  it('counts a training step forward and backward', async () => {
    await expectNoLeak(() => {
      const [x, w1, w2] = [tf.ones([8, 16]), tf.ones([16, 4]), tf.ones([4, 2])] as tf.Tensor2D[];
      const loss = (a: tf.Tensor, b: tf.Tensor) => tf.mean(tf.square(tf.matMul(tf.relu(tf.matMul(x!, a)), b)));
      const { result, kernels, flops, unknown } = meter(() => tf.valueAndGrads(loss as never)([w1!, w2!]));
      // Forward both products; backward both weight gradients and the gradient of the hidden layer, not of x.
      const [first, second] = [2 * 8 * 16 * 4, 2 * 8 * 4 * 2];
      const products = kernels.filter((entry) => entry.kernel === 'BatchMatMul');
      expect(products).toMatchObject([{ calls: 5, flops: 2 * first + 3 * second }]);
      expect(flops).toBeGreaterThan(2 * first + 3 * second);
      expect(unknown).toEqual([]);
      tf.dispose([x, w1, w2, result] as never);
    });
  });

  it('counts bytes and calls, and what shares memory as not moved', async () => {
    await expectNoLeak(() => {
      const x = tf.ones([4, 8]);
      const { result, ...cost } = meter(() =>
        tf.tidy(() => {
          const y = tf.add(x, tf.reshape(tf.slice(x, [1, 0], [1, 8]), [8]));
          return tf.gather(y, tf.tensor1d([3, 0], 'int32'));
        }),
      );
      expect(kernel('Add', cost)).toMatchObject({ calls: 1, flops: 32, bytes: 4 * (32 + 8 + 32) });
      expect(kernel('Slice', cost)).toMatchObject({ bytes: 4 * 16 });
      expect(kernel('Reshape', cost)).toMatchObject({ flops: 0, bytes: shared ? 0 : 4 * 16 });
      expect(kernel('GatherV2', cost)).toMatchObject({ bytes: 4 * 2 * 16 + 8 });
      expect(cost.bytes).toBe(cost.kernels.reduce((sum, { bytes }) => sum + bytes, 0));
      result.dispose();
      x.dispose();
    });
  });

  it('finds the peak of live bytes, counting shared buffers once', async () => {
    await expectNoLeak(() => {
      const x = tf.ones([1000]);
      const peak = (fn: () => tf.Tensor) => {
        const { result, peakBytes } = meter(() => tf.tidy(fn));
        result.dispose();
        return peakBytes;
      };
      expect(peak(() => tf.add(x, x))).toBe(4000);
      expect(peak(() => tf.reshape(tf.reshape(tf.add(x, x), [10, 100]), [1000]))).toBe(shared ? 4000 : 12_000);
      expect(peak(() => tf.neg(tf.neg(tf.neg(tf.neg(x)))))).toBe(16_000);
      expect(
        peak(() => {
          let y: tf.Tensor = tf.neg(x);
          for (let i = 0; i < 10; i++) {
            const next = tf.neg(y);
            y.dispose();
            y = next;
          }
          return y;
        }),
      ).toBe(8000);
      expect(peak(() => tf.tensor1d(new Float32Array(3000)))).toBe(12_000);
      x.dispose();
    });
  });

  it('lists kernels without a formula instead of counting them as nothing', async () => {
    tf.registerKernel({
      kernelName: 'MeterTestOp',
      backendName: tf.getBackend(),
      kernelFunc: ({ inputs, backend }) => {
        const { x } = inputs as { x: tf.TensorInfo };
        (backend as tf.KernelBackend).incRef(x.dataId);
        return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
      },
    });
    await expectNoLeak(() => {
      const x = tf.ones([3]);
      const { result, ...cost } = meter(() => tf.engine().runKernel('MeterTestOp', { x }) as tf.Tensor);
      expect(cost.unknown).toEqual(['MeterTestOp']);
      expect(kernel('MeterTestOp', cost)).toMatchObject({ calls: 1, flops: undefined });
      expect(cost.flops).toBe(0);
      expect(formatCost(cost)).toMatch(/Without a formula, so not in the sum: MeterTestOp/);
      tf.dispose([x, result]);
    });
    tf.unregisterKernel('MeterTestOp', tf.getBackend());
  });

  it('nests: each meter sees what runs inside of it', async () => {
    await expectNoLeak(() => {
      const x = tf.ones([10]);
      const outer = meter(() =>
        tf.tidy(() => {
          const inner = meter(() => tf.add(x, x));
          return [inner.flops, tf.add(inner.result, x)] as never as [number, tf.Tensor];
        }),
      );
      expect([outer.result[0], outer.flops]).toEqual([10, 20]);
      outer.result[1].dispose();
      x.dispose();
    });
  });

  it('meters an asynchronous function', async () => {
    await expectNoLeak(async () => {
      const x = tf.ones([10]);
      const { result, flops, ms } = await meter(async () => {
        const y = tf.add(x, x);
        const values = await y.data();
        await new Promise((resolve) => setTimeout(resolve, 20));
        tf.dispose([y, tf.square(y)]);
        return values[0];
      });
      expect([result, flops]).toEqual([2, 20]);
      expect(ms).toBeGreaterThanOrEqual(15);
      x.dispose();
    });
  });

  it('leaves no hook behind, also when the program throws', async () => {
    const { runKernel } = tf.engine() as never as { runKernel: unknown };
    const one = createMeter();
    expect(() =>
      one.run(() => {
        tf.ones([3]).dispose();
        throw new Error('stop');
      }),
    ).toThrow('stop');
    await expect(one.run(async () => Promise.reject(new Error('later')))).rejects.toThrow('later');
    expect((tf.engine() as never as { runKernel: unknown }).runKernel).toBe(runKernel);
    expect(one.read().ms).toBeGreaterThan(0);
  });

  it('takes the time of each kernel on request', async () => {
    await expectNoLeak(() => {
      const x = tf.ones([100]);
      const once = meter(() => tf.add(x, x));
      expect(once.kernels[0]!.ms).toBeGreaterThan(0);
      expect(once.kernels[0]!.ms).toBeLessThanOrEqual(once.ms);
      const running = createMeter();
      running.run(() => tf.add(x, x)).dispose();
      expect(running.read().kernels).toMatchObject([{ kernel: 'Add', flops: 100, ms: undefined }]);
      expect(formatCost(running.read())).toContain('100 FLOP');
      tf.dispose([x, once.result]);
    });
  });

  it('adds up over runs and starts again', async () => {
    await expectNoLeak(() => {
      const x = tf.ones([10]);
      const one = createMeter();
      for (let i = 0; i < 3; i++) one.run(() => tf.add(x, x)).dispose();
      expect(one.read()).toMatchObject({ flops: 30, peakBytes: 40, kernels: [{ kernel: 'Add', calls: 3 }] });
      one.reset();
      expect(one.read()).toMatchObject({ flops: 0, bytes: 0, peakBytes: 0, ms: 0, kernels: [], unknown: [] });
      x.dispose();
    });
  });
});

it('estimates energy from a stated power and says how', () => {
  const busy = () => {
    const end = performance.now() + 20;
    while (performance.now() < end);
  };
  const cost = meter(busy, { watts: 30, gridIntensity: GRID_INTENSITY.poland });
  const { energy, ms } = cost;
  expect(energy.method).toBe('estimated');
  expect(energy.joules).toBeCloseTo((ms / 1000) * 30, 10);
  expect(energy.wattHours).toBeCloseTo(energy.joules / 3600, 12);
  expect(energy.gramsCO2).toBeCloseTo((energy.joules / 3.6e6) * 662, 12);
  expect(energy.constants).toEqual({ watts: 30, gridIntensity: 662 });
  expect(energy.source).toContain('stated by the caller');
  const backend = tf.backend() as { threads?: number | undefined };
  const { threads } = backend;
  for (const [cores, watts] of [
    [undefined, 12],
    [3, 36],
  ] as const) {
    backend.threads = cores;
    const standard = meter(busy).energy;
    expect(standard.constants).toEqual({ watts, gridIntensity: 475 });
    expect(standard.source).toMatch(/^[13] × 12 W: [13] busy cores? of .*Green Algorithms/);
  }
  backend.threads = threads;
  const text = formatCost(cost);
  for (const part of ['2 FLOPs per multiply-add', 'E = watts · seconds', '30 W']) expect(text).toContain(part);
});

it('takes what counters measure instead', () => {
  let reading = 1000;
  const counter: EnergyCounter = { name: 'fake', source: 'a test', joules: () => (reading += 7.2) };
  const other: EnergyCounter = { name: 'other', source: 'a second', joules: () => 5 };
  const one = createMeter({ counters: [counter, other] });
  one.run(() => undefined);
  one.run(() => undefined);
  const { energy } = one.read();
  expect(energy.method).toBe('measured');
  expect(energy.joules).toBeCloseTo(14.4, 10);
  expect(energy.wattHours).toBeCloseTo(0.004, 10);
  expect(energy.source).toBe('fake: a test; other: a second');
});
