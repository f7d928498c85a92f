import { cpu, useBackend } from '@frugal/tensor';
import { onShapes } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { meter } from './index.ts';

beforeAll(async () => {
  await useBackend(cpu());
});

/** Layers that make their own weights and count them. */
class Net {
  parameters = 0;

  weight(...shape: number[]): tf.Tensor {
    this.parameters += shape.reduce((a, b) => a * b, 1);
    return tf.fill(shape, 0);
  }

  conv(x: tf.Tensor, out: number, size: number, strides = 1, pad = (size - 1) / 2, groups = 1): tf.Tensor {
    const channels = x.shape[3]! / groups;
    const padded = tf.pad(x as tf.Tensor4D, [
      [0, 0],
      [pad, pad],
      [pad, pad],
      [0, 0],
    ]);
    const parts =
      groups === 1 ? [padded] : [0, 1].map((g) => tf.slice(padded, [0, 0, 0, g * channels], [-1, -1, -1, channels]));
    const outs = parts.map((part) =>
      tf.conv2d(part as tf.Tensor4D, this.weight(size, size, channels, out / groups) as tf.Tensor4D, strides, 'valid'),
    );
    return tf.concat(outs, 3);
  }

  bias(x: tf.Tensor): tf.Tensor {
    return tf.add(x, this.weight(x.shape.at(-1)!));
  }

  norm(x: tf.Tensor): tf.Tensor {
    const channels = x.shape[3]!;
    const statistics = [tf.fill([channels], 0), tf.fill([channels], 1)] as tf.Tensor1D[];
    const [offset, scale] = [this.weight(channels), this.weight(channels)] as tf.Tensor1D[];
    return tf.batchNorm(x as tf.Tensor4D, statistics[0]!, statistics[1]!, offset, scale, 1e-5);
  }

  dense(x: tf.Tensor, out: number): tf.Tensor {
    return this.bias(tf.matMul(x as tf.Tensor2D, this.weight(x.shape[1]!, out) as tf.Tensor2D));
  }

  maxPool(x: tf.Tensor, size: number, strides: number, pad = 0): tf.Tensor {
    return tf.maxPool(
      tf.pad(x as tf.Tensor4D, [
        [0, 0],
        [pad, pad],
        [pad, pad],
        [0, 0],
      ]),
      size,
      strides,
      'valid',
    );
  }
}

/** He et al. 2015 (arXiv 1512.03385), the stride in the 3×3 convolution as everybody counts it. */
function resnet50(net: Net): tf.Tensor {
  let x = tf.relu(net.norm(net.conv(tf.fill([1, 224, 224, 3], 0), 64, 7, 2)));
  x = net.maxPool(x, 3, 2, 1);
  for (const [stage, blocks] of [3, 4, 6, 3].entries()) {
    const width = 64 * 2 ** stage;
    for (let block = 0; block < blocks; block++) {
      const strides = block === 0 && stage > 0 ? 2 : 1;
      let y = tf.relu(net.norm(net.conv(x, width, 1)));
      y = tf.relu(net.norm(net.conv(y, width, 3, strides)));
      y = net.norm(net.conv(y, 4 * width, 1));
      const shortcut = block === 0 ? net.norm(net.conv(x, 4 * width, 1, strides)) : x;
      x = tf.relu(tf.add(shortcut, y));
    }
  }
  return net.dense(tf.mean(x, [1, 2]), 1000);
}

/** Simonyan and Zisserman 2014 (arXiv 1409.1556), configuration D. */
function vgg16(net: Net): tf.Tensor {
  let x: tf.Tensor = tf.fill([1, 224, 224, 3], 0);
  for (const [width, convs] of [
    [64, 2],
    [128, 2],
    [256, 3],
    [512, 3],
    [512, 3],
  ] as const) {
    for (let i = 0; i < convs; i++) x = tf.relu(net.bias(net.conv(x, width, 3)));
    x = net.maxPool(x, 2, 2);
  }
  x = tf.reshape(x, [1, -1]);
  for (const width of [4096, 4096]) x = tf.relu(net.dense(x, width));
  return net.dense(x, 1000);
}

/** Krizhevsky et al. 2012, with the two groups of the original. */
function alexnet(net: Net): tf.Tensor {
  let x = tf.relu(net.bias(net.conv(tf.fill([1, 227, 227, 3], 0), 96, 11, 4, 0)));
  x = net.maxPool(tf.localResponseNormalization(x as tf.Tensor4D, 2), 3, 2);
  x = tf.relu(net.bias(net.conv(x, 256, 5, 1, 2, 2)));
  x = net.maxPool(tf.localResponseNormalization(x as tf.Tensor4D, 2), 3, 2);
  x = tf.relu(net.bias(net.conv(x, 384, 3)));
  x = tf.relu(net.bias(net.conv(x, 384, 3, 1, 1, 2)));
  x = tf.relu(net.bias(net.conv(x, 256, 3, 1, 1, 2)));
  x = tf.reshape(net.maxPool(x, 3, 2), [1, -1]);
  for (const width of [4096, 4096]) x = tf.relu(net.dense(x, width));
  return net.dense(x, 1000);
}

it.each([
  ['ResNet-50', resnet50, 4.1e9, 4_089_184_256, 25_557_032],
  ['VGG-16', vgg16, 15.5e9, 15_470_264_320, 138_357_544],
  ['AlexNet', alexnet, 0.72e9, 724_406_816, 60_965_224],
])('counts %s as published', async (_name, build, published, multiplyAdds, parameters) => {
  const net = new Net();
  const { kernels, unknown, flops } = await onShapes(() => meter(() => build(net)));
  const products = kernels.filter(({ kernel }) => kernel === 'Conv2D' || kernel === 'BatchMatMul');
  const counted = products.reduce((sum, { flops }) => sum + flops! / 2, 0);
  expect(counted).toBe(multiplyAdds);
  expect(Math.abs(counted / published - 1)).toBeLessThan(0.01);
  expect(net.parameters).toBe(parameters);
  expect(unknown).toEqual([]);
  // Bias, activation, normalisation and pooling are a small rest.
  expect(flops).toBeGreaterThan(2 * counted);
  expect(flops).toBeLessThan(2.05 * counted);
});
