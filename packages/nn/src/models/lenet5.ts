import { activation as activate } from '../activations.ts';
import { convReluPool2d } from '../conv-relu-pool2d.ts';
import { type Conv2dParams, conv2d } from '../conv2d.ts';
import { type DenseParams, dense } from '../dense.ts';
import { lecunNormal } from '../initializers.ts';
import { avgPool2d, flatten, maxPool2d } from '../pool.ts';
import { type Sequential, sequential } from '../sequential.ts';
import type { ActivationName, Layer } from '../spec.ts';
import { wrap } from '../wrap.ts';

/** Options of `lenet5`. */
export interface Lenet5Options {
  /** [height, width, channels] of an image. Default [28, 28, 1]. */
  input?: readonly [height: number, width: number, channels: number];
  /** Of the two convolutions. Default [6, 16]. */
  channels?: readonly [number, number];
  /** Padding of the two 5×5 convolutions. Default `['same', 'valid']`: the sizes of the paper's 32×32 input. */
  padding?: readonly ['same' | 'valid', 'same' | 'valid'];
  /** Of the two hidden dense layers. Default [120, 84]. */
  hidden?: readonly [number, number];
  /** Default 10. */
  classes?: number;
  /** Default `'relu'`; the paper has `'tanh'`. */
  activation?: ActivationName;
  /** Default `'max'`; the paper averages. */
  pool?: 'max' | 'avg';
}

/** `lenet5`: the parameters of five layers by name, a stage each. */
export type Lenet5 = Sequential<{
  conv1: Layer<Conv2dParams>;
  conv2: Layer<Conv2dParams>;
  fc1: Layer<DenseParams>;
  fc2: Layer<DenseParams>;
  fc3: Layer<DenseParams>;
}>;

/** LeNet-5 (LeCun et al. 1998): [B, H, W, C] → [B, classes]; two convolutions with pooling, three dense layers. */
export function lenet5(options: Lenet5Options = {}): Lenet5 {
  const { input = [28, 28, 1], channels = [6, 16], padding = ['same', 'valid'], hidden = [120, 84] } = options;
  const { classes = 10, activation = 'relu', pool = 'max' } = options;
  const act = () => activate(activation);
  const halve = () => (pool === 'max' ? maxPool2d(2) : avgPool2d(2));
  const shrink = (size: number): number =>
    padding.reduce((n, pad) => Math.floor((pad === 'same' ? n : n - 4) / 2), size);
  const features = shrink(input[0]) * shrink(input[1]) * channels[1];
  const conv = (from: number, to: number, pad: 'same' | 'valid'): Layer<Conv2dParams> =>
    activation === 'relu' && pool === 'max'
      ? convReluPool2d(from, to, 5, { padding: pad })
      : wrap(conv2d(from, to, 5, { padding: pad }), { after: [act(), halve()] });
  return sequential({
    conv1: conv(input[2], channels[0], padding[0]),
    conv2: conv(channels[0], channels[1], padding[1]),
    fc1: wrap(dense(features, hidden[0]), { before: [flatten()], after: [act()] }),
    fc2: wrap(dense(hidden[0], hidden[1]), { after: [act()] }),
    fc3: dense(hidden[1], classes, { weightInit: lecunNormal() }),
  });
}
