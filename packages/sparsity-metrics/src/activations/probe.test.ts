import { convReluPool2d, lenet5, mlp, vit } from '@frugal/nn';
import { hoyerSparsity, key, randomNormal, treeDispose } from '@frugal/tensor';
import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { createProbe, probeActivations } from './probe.ts';

const zerosOf = async (y: tf.Tensor): Promise<number> => {
  const data = await y.data();
  return Array.from(data as Float32Array).filter((value) => value === 0).length;
};

describeEachBackend('the activation probe', () => {
  it('counts by hand-made example: layer, example, token, unit', async () => {
    await expectNoLeak(async () => {
      // Two examples of two tokens with three units; unit 2 is dead.
      const x = tf.tensor3d([1, -1, -1, 2, 3, -1, -1, -1, -1, 4, -1, -1], [2, 2, 3]);
      const report = await probeActivations(() => tf.relu(x), { measures: true });
      const [layer] = report.layers;
      expect(layer).toMatchObject({ kernel: 'Relu', activation: 'relu', shape: [2, 2, 3], values: 12, zeros: 8 });
      expect(layer!.perExample).toEqual([3 / 6, 5 / 6]);
      expect(layer!.perToken).toEqual([2 / 3, 1 / 3, 1, 2 / 3]);
      expect(Array.from(layer!.unitActivity)).toEqual([3 / 4, 1 / 4, 0]);
      expect(layer!.deadUnits).toEqual([2]);
      const hoyer = (hoyerSparsity([1, 0, 0, 2, 3, 0]) + hoyerSparsity([0, 0, 0, 4, 0, 0])) / 2;
      expect(layer!.hoyer).toBeCloseTo(hoyer, 6);
      expect(report.zeroFraction).toBe(8 / 12);
      expect(report.deadUnits).toBe(1);
      x.dispose();
    });
  });

  it('counts exact zeros of relu6 only at 0, and NaN never', async () => {
    const x = tf.tensor1d([-1, 0, 3, 6, 9, Number.NaN]);
    const report = await probeActivations(() => tf.relu6(x));
    const y = tf.relu6(x);
    expect(report.layers[0]).toMatchObject({ activation: 'relu6', zeros: await zerosOf(y), values: 6 });
    tf.dispose([x, y]);
  });

  it('sees fused matmul and convolutions, and nothing of other activations', async () => {
    await expectNoLeak(async () => {
      const a = randomNormal(key(1), [5, 4]) as tf.Tensor2D;
      const b = randomNormal(key(2), [4, 6]) as tf.Tensor2D;
      const image = randomNormal(key(3), [2, 6, 6, 3]) as tf.Tensor4D;
      const filter = randomNormal(key(4), [3, 3, 3, 4]) as tf.Tensor4D;
      const depthwise = randomNormal(key(5), [3, 3, 3, 2]) as tf.Tensor4D;
      const outputs: tf.Tensor[] = [];
      const report = await probeActivations(() => {
        outputs.push(tf.fused.matMul({ a, b, activation: 'relu' }));
        outputs.push(tf.fused.conv2d({ x: image, filter, strides: 1, pad: 'same', activation: 'relu' }));
        outputs.push(
          tf.fused.depthwiseConv2d({ x: image, filter: depthwise, strides: 1, pad: 'same', activation: 'relu6' }),
        );
        tf.dispose([tf.fused.matMul({ a, b }), tf.sigmoid(a), tf.matMul(a, b)]);
      });
      expect(report.layers.map(({ kernel }) => kernel)).toEqual([
        '_FusedMatMul',
        'FusedConv2D',
        'FusedDepthwiseConv2D',
      ]);
      for (const [i, y] of outputs.entries()) expect(report.layers[i]!.zeros).toBe(await zerosOf(y));
      tf.dispose([a, b, image, filter, depthwise, outputs]);
    });
  });

  it('measures modules: mlp, LeNet-5 with its fused layers, a vit with tokens', async () => {
    await expectNoLeak(async () => {
      const images = randomNormal(key(1), [3, 28, 28, 1]);
      const dense = mlp([784, 20, 12, 10]);
      const lenet = lenet5();
      const transformer = vit({ dim: 16, depth: 2, heads: 2, feedForward: { activation: 'relu' } });
      const [p, q, r] = [dense.init(key(2)), lenet.init(key(3)), transformer.init(key(4))];
      const first = await probeActivations(() => dense.apply(p, images));
      expect(first.layers.map(({ shape }) => shape)).toEqual([
        [3, 20],
        [3, 12],
      ]);
      expect(first.layers[0]!.perToken).toEqual([]);
      const second = await probeActivations(() => lenet.apply(q, images));
      expect(second.layers).toHaveLength(4);
      const third = await probeActivations(() => transformer.apply(r, images));
      expect(third.layers).toHaveLength(2);
      const [batch, tokens] = third.layers[0]!.shape;
      expect([batch, third.layers[0]!.perToken.length]).toEqual([3, 3 * tokens!]);
      for (const report of [first, second, third]) {
        expect(report.zeroFraction).toBeGreaterThan(0.1);
        expect(report.zeroFraction).toBeLessThan(0.8);
        expect(report.perExample).toHaveLength(3);
        const mean = report.perExample.reduce((a, b) => a + b, 0) / 3;
        expect(mean).toBeCloseTo(report.zeroFraction, 10);
      }
      treeDispose([images, p, q, r]);
    });
  });

  it('counts conv+relu+pool in one kernel after its pooling', async () => {
    const layer = convReluPool2d(2, 3, 3);
    const params = layer.init(key(1));
    const x = randomNormal(key(2), [2, 9, 9, 2]);
    const y = layer.apply(params, x);
    const report = await probeActivations(() => layer.apply(params, x));
    const [seen] = report.layers;
    if (seen!.kernel === 'FrugalConvReluPool') expect(seen).toMatchObject({ shape: y.shape, zeros: await zerosOf(y) });
    else expect(seen).toMatchObject({ kernel: 'FusedConv2D', shape: [2, 7, 7, 3] });
    treeDispose([params, x, y]);
  });

  it('measures a LayersModel without a change to it', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ filters: 4, kernelSize: 3, activation: 'relu', inputShape: [8, 8, 1] }),
        tfl.layers.flatten(),
        tfl.layers.dense({ units: 7, activation: 'relu' }),
        tfl.layers.reLU(),
        tfl.layers.dense({ units: 2, activation: 'softmax' }),
      ],
    });
    const x = randomNormal(key(1), [5, 8, 8, 1]);
    const report = await probeActivations(() => model.predict(x) as tf.Tensor);
    expect(report.layers.map(({ shape }) => shape.at(-1))).toEqual([4, 7, 7]);
    expect(report.layers[2]!.zeros).toBe(report.layers[1]!.zeros);
    model.dispose();
    x.dispose();
  });

  it('adds up over passes of other sizes, and starts anew on reset', async () => {
    const probe = createProbe();
    const batches = [
      tf.tensor2d([[1, -1]]),
      tf.tensor2d([
        [-1, -1],
        [1, 1],
      ]),
    ];
    for (const x of batches) probe.run(() => tf.relu(x)).dispose();
    const report = await probe.read();
    expect(report.layers[0]).toMatchObject({ values: 6, zeros: 3, perExample: [0.5, 1, 0] });
    probe.reset();
    await probe.run(async () => {
      await Promise.resolve();
      tf.relu(batches[0]!).dispose();
    });
    expect((await probe.read()).layers[0]!.perExample).toEqual([0.5]);
    tf.dispose(batches);
  });

  it('takes near-zero values for zeros from a threshold on, of kernels that are asked for', async () => {
    const x = tf.tensor2d([[-3, -0.05, 0.2, 2]]);
    const select = (kernel: string) => (kernel === 'Tanh' ? 'tanh' : undefined);
    const report = await probeActivations(() => tf.tanh(x), { select, threshold: 0.1 });
    expect(report.layers[0]).toMatchObject({ activation: 'tanh', zeros: 1, values: 4 });
    x.dispose();
  });

  it('shares flattened tokens out among the examples', async () => {
    const x = tf.tensor2d([[1], [-1], [-1], [-1]]);
    const report = await probeActivations(() => tf.relu(x), { examples: 2 });
    expect(report.layers[0]).toMatchObject({ perExample: [0.5, 1], perToken: [0, 1, 1, 1] });
    await expect(probeActivations(() => tf.relu(x), { examples: 3 })).rejects.toThrow(/no multiple/);
    x.dispose();
  });

  it('keeps pixels only when asked, and counts the same then', async () => {
    await expectNoLeak(async () => {
      const x = randomNormal(key(7), [3, 5, 4, 6]);
      const [plain, pixels, none] = [
        await probeActivations(() => tf.relu(x)),
        await probeActivations(() => tf.relu(x), { distributions: 'pixels' }),
        await probeActivations(() => tf.relu(x), { distributions: false }),
      ].map(({ layers }) => layers[0]!);
      expect(plain!.perToken).toEqual([]);
      expect(pixels!.perToken).toHaveLength(3 * 5 * 4);
      expect(pixels!.perExample).toEqual(plain!.perExample);
      expect(none!.perExample).toEqual([]);
      for (const one of [pixels!, none!]) {
        expect(one.zeros).toBe(plain!.zeros);
        expect(one.unitActivity).toEqual(plain!.unitActivity);
      }
      const mean = pixels!.perToken.reduce((a, b) => a + b) / (3 * 5 * 4);
      expect(mean).toBeCloseTo(plain!.zeroFraction, 10);
      x.dispose();
    });
  });

  it('says what is wrong', async () => {
    const x = tf.tensor2d([[1, 2]]);
    await expect(probeActivations(() => tf.sigmoid(x))).rejects.toMatchObject({ code: 'NO_ACTIVATIONS' });
    expect(() => createProbe({ threshold: -1 })).toThrow(/threshold/);
    const probe = createProbe();
    probe.run(() => tf.relu(x)).dispose();
    expect(() => probe.run(() => tf.relu6(x))).toThrow(/call reset/);
    const other = tf.tensor2d([[1, 2, 3]]);
    probe.run(() => tf.relu(other)).dispose();
    await expect(probe.read()).rejects.toMatchObject({ code: 'PROBE_MISMATCH' });
    tf.dispose([x, other]);
  });
});
