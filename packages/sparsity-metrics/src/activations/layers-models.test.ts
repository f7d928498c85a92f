import { key, randomNormal } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, it } from 'vitest';
import { createProbe, probeActivations } from './probe.ts';

/** Self-attention of one head, as somebody would write it for tfjs-layers. */
class SelfAttention extends tfl.layers.Layer {
  static readonly className: string = 'SelfAttention';
  qkv!: tfl.LayerVariable;

  override build(shape: tfl.Shape): void {
    const dim = shape.at(-1)!;
    this.qkv = this.addWeight('qkv', [dim, 3 * dim], 'float32', tfl.initializers.glorotUniform({ seed: 1 }));
    super.build(shape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = Array.isArray(inputs) ? inputs[0]! : inputs;
      const [batch, time, dim] = x.shape as [number, number, number];
      const all = tf.reshape(tf.matMul(tf.reshape(x, [batch * time, dim]), this.qkv.read() as tf.Tensor2D), [
        batch,
        time,
        3 * dim,
      ]);
      const [q, k, v] = tf.split(all, 3, -1) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
      return tf.matMul(tf.softmax(tf.div(tf.matMul(q, k, false, true), Math.sqrt(dim))), v);
    });
  }

  override computeOutputShape(shape: tfl.Shape): tfl.Shape {
    return shape;
  }
}

interface Built {
  readonly model: tfl.LayersModel;
  /** What the rectifiers give. */
  readonly rectified: tfl.SymbolicTensor[];
  readonly shape: number[];
}

function resnet(): Built {
  const input = tfl.input({ shape: [8, 8, 3] });
  const rectified: tfl.SymbolicTensor[] = [];
  const seen = (x: tfl.SymbolicTensor): tfl.SymbolicTensor => {
    rectified.push(x);
    return x;
  };
  const conv = (x: tfl.SymbolicTensor) =>
    tfl.layers.conv2d({ filters: 4, kernelSize: 3, padding: 'same', useBias: false }).apply(x) as tfl.SymbolicTensor;
  const norm = (x: tfl.SymbolicTensor) => tfl.layers.batchNormalization().apply(x) as tfl.SymbolicTensor;
  const relu = (x: tfl.SymbolicTensor) => seen(tfl.layers.reLU().apply(x) as tfl.SymbolicTensor);
  let h = relu(norm(conv(input)));
  for (let block = 0; block < 2; block++) {
    const body = norm(conv(relu(norm(conv(h)))));
    h = relu(tfl.layers.add().apply([body, h]) as tfl.SymbolicTensor);
  }
  const pooled = tfl.layers.globalAveragePooling2d({ dataFormat: 'channelsLast' }).apply(h) as tfl.SymbolicTensor;
  const output = tfl.layers.dense({ units: 3, activation: 'softmax' }).apply(pooled) as tfl.SymbolicTensor;
  return { model: tfl.model({ inputs: input, outputs: output }), rectified, shape: [8, 8, 3] };
}

function transformer(): Built {
  const input = tfl.input({ shape: [6, 8] });
  const rectified: tfl.SymbolicTensor[] = [];
  const norm = (x: tfl.SymbolicTensor) => tfl.layers.layerNormalization().apply(x) as tfl.SymbolicTensor;
  let h: tfl.SymbolicTensor = input;
  for (let block = 0; block < 2; block++) {
    const mixed = new SelfAttention({}).apply(norm(h)) as tfl.SymbolicTensor;
    h = tfl.layers.add().apply([h, mixed]) as tfl.SymbolicTensor;
    const hidden = tfl.layers.dense({ units: 24, activation: 'relu' }).apply(norm(h)) as tfl.SymbolicTensor;
    rectified.push(hidden);
    h = tfl.layers
      .add()
      .apply([h, tfl.layers.dense({ units: 8 }).apply(hidden) as tfl.SymbolicTensor]) as tfl.SymbolicTensor;
  }
  return { model: tfl.model({ inputs: input, outputs: norm(h) }), rectified, shape: [6, 8] };
}

const zerosOf = async (y: tf.Tensor): Promise<number> => (await y.data()).filter((value) => value === 0).length;

describeEachBackend('models of tfjs-layers', () => {
  for (const [name, build] of Object.entries({ resnet, transformer })) {
    it(`${name}: every rectifier is seen, and nothing in the model is changed`, async () => {
      const { model, rectified, shape } = build();
      const x = randomNormal(key(1), [5, ...shape]);
      const plain = model.predict(x) as tf.Tensor;
      // tfjs-layers flattens tokens into the first axis.
      const report = await probeActivations(() => model.predict(x), { examples: 5 });
      const inner = tfl.model({ inputs: model.inputs, outputs: rectified });
      const outputs = inner.predict(x) as tf.Tensor[];
      expect(report.layers.map(({ zeros }) => zeros)).toEqual(await Promise.all(outputs.map(zerosOf)));
      expect(report.layers.map(({ values }) => values)).toEqual(outputs.map(({ size }) => size));
      const again = model.predict(x) as tf.Tensor;
      expect([...(await again.data())]).toEqual([...(await plain.data())]);
      if (name === 'transformer') expect(report.layers[0]!.perToken).toHaveLength(5 * 6);
      tf.dispose([x, plain, again, ...outputs]);
      model.dispose();
    });
  }

  it('ReLU², and dReLU, whose gate and value are both rectified (arXiv 2406.05955)', async () => {
    const [a, b] = [randomNormal(key(2), [7, 10]), randomNormal(key(3), [7, 10])];
    const squared = await probeActivations(() => tf.tidy(() => tf.square(tf.relu(a))));
    const [positiveA, positiveB] = [await a.data(), await b.data()].map((values) => [...values].map((v) => v > 0));
    expect(squared.layers[0]!.zeros).toBe(positiveA!.filter((on) => !on).length);
    const probe = createProbe({ select: (kernel) => (kernel === 'Multiply' ? 'dReLU' : undefined) });
    probe.run(() => tf.tidy(() => tf.mul(tf.relu(a), tf.relu(b)))).dispose();
    const { layers } = await probe.read();
    expect(layers).toHaveLength(1);
    expect(layers[0]!.zeros).toBe(positiveA!.filter((on, i) => !(on && positiveB![i])).length);
    tf.dispose([a, b]);
  });
});
