import type * as tf from '@tensorflow/tfjs-core';
import type { Attribute } from '../backend/native.ts';
import { allFloat, type Ops, type Plan, type Registration } from '../backend/ops.ts';

interface ConvAttrs {
  readonly strides: number | readonly number[];
  readonly pad: unknown;
  readonly dataFormat?: string;
  readonly dilations?: number | readonly number[];
  readonly filterShape?: number[];
  readonly inputShape?: number[];
  readonly activation?: string;
}

const pair = (x: number | readonly number[] = 1): readonly [number, number] =>
  typeof x === 'number' ? [x, x] : [x[0]!, x[1] ?? x[0]!];

/** Padding of a convolution in TensorFlow's terms; undefined for what it does not know. */
function paddingOf(pad: unknown): { readonly name: string; readonly explicit: readonly number[] } | undefined {
  if (pad === 'same' || pad === 'valid') return { name: pad.toUpperCase(), explicit: [] };
  if (typeof pad === 'number') return { name: 'EXPLICIT', explicit: [0, 0, pad, pad, pad, pad, 0, 0] };
  return Array.isArray(pad) ? { name: 'EXPLICIT', explicit: pad.flat() as number[] } : undefined;
}

/** Whether TensorFlow takes these attributes as they are. */
const fits = ({ pad, dataFormat }: ConvAttrs): boolean =>
  paddingOf(pad) !== undefined && (dataFormat === undefined || dataFormat === 'NHWC');

/** Plans of a convolution by strides, padding and dilation. */
function convPlans(ops: Ops, name: string): (attrs: ConvAttrs) => Plan {
  const attributes = ({ strides, pad, dilations }: ConvAttrs): Attribute[] => {
    const padding = paddingOf(pad)!;
    return [
      ...ops.float,
      ops.ints('strides', [1, ...pair(strides), 1]),
      ops.string('padding', padding.name),
      ...(padding.explicit.length > 0 ? [ops.ints('explicit_paddings', padding.explicit)] : []),
      ops.string('data_format', 'NHWC'),
      ops.bool('use_cudnn_on_gpu', true),
      ops.ints('dilations', [1, ...pair(dilations), 1]),
    ];
  };
  return ops.plans(
    ({ strides, pad, dilations }: ConvAttrs) => `${pair(strides)} ${pad} ${pair(dilations)}`,
    (attrs) => ops.plan(name, attributes(attrs)),
  );
}

type Conv = { x: tf.TensorInfo; filter: tf.TensorInfo; bias?: tf.TensorInfo; preluActivationWeights?: tf.TensorInfo };

export const convKernels: readonly Registration[] = [
  {
    name: 'Conv2D',
    bind(ops, stock) {
      const plans = convPlans(ops, 'Conv2D');
      return (call) => {
        const { x, filter } = call.inputs as Conv;
        const attrs = call.attrs as unknown as ConvAttrs;
        if (!allFloat(x, filter) || !fits(attrs)) return stock(call);
        return ops.tensor(plans(attrs)(ops.handle(x), ops.handle(filter)));
      };
    },
  },
  {
    name: 'FusedConv2D',
    bind(ops, stock) {
      const plans = convPlans(ops, 'Conv2D');
      const [addBias, relu] = [ops.plan('AddV2'), ops.plan('Relu')];
      return (call) => {
        const { x, filter, bias } = call.inputs as Conv;
        const attrs = call.attrs as unknown as ConvAttrs;
        const { activation = 'linear' } = attrs;
        const known = activation === 'linear' || activation === 'relu';
        if (bias == null || bias.shape.length !== 1 || !known || !allFloat(x, filter, bias) || !fits(attrs)) {
          return stock(call);
        }
        const sums = plans(attrs)(ops.handle(x), ops.handle(filter));
        const biased = addBias(sums.id, ops.handle(bias));
        ops.delete(sums.id);
        if (activation === 'linear') return ops.tensor(biased);
        const active = relu(biased.id);
        ops.delete(biased.id);
        return ops.tensor(active);
      };
    },
  },
  {
    name: 'Conv2DBackpropFilter',
    bind(ops, stock) {
      const plans = convPlans(ops, 'Conv2DBackpropFilter');
      return (call) => {
        const { x, dy } = call.inputs as { x: tf.TensorInfo; dy: tf.TensorInfo };
        const attrs = call.attrs as unknown as ConvAttrs;
        if (!allFloat(x, dy) || !fits(attrs)) return stock(call);
        return ops.tensor(plans(attrs)(ops.handle(x), ops.vector(attrs.filterShape!), ops.handle(dy)));
      };
    },
  },
  {
    name: 'Conv2DBackpropInput',
    bind(ops, stock) {
      const plans = convPlans(ops, 'Conv2DBackpropInput');
      return (call) => {
        const { dy, filter } = call.inputs as { dy: tf.TensorInfo; filter: tf.TensorInfo };
        const attrs = call.attrs as unknown as ConvAttrs;
        if (!allFloat(dy, filter) || !fits(attrs)) return stock(call);
        return ops.tensor(plans(attrs)(ops.vector(attrs.inputShape!), ops.handle(filter), ops.handle(dy)));
      };
    },
  },
];

interface PoolAttrs {
  readonly filterSize: number | readonly number[];
  readonly strides: number | readonly number[];
  readonly pad: unknown;
  readonly dimRoundingMode?: string;
}

const isNamed = ({ pad }: PoolAttrs): boolean => pad === 'same' || pad === 'valid';

function poolPlans(ops: Ops, name: string): (attrs: PoolAttrs) => Plan {
  return ops.plans(
    ({ filterSize, strides, pad }: PoolAttrs) => `${pair(filterSize)} ${pair(strides)} ${pad}`,
    ({ filterSize, strides, pad }) =>
      ops.plan(name, [
        ...ops.float,
        ops.ints('ksize', [1, ...pair(filterSize), 1]),
        ops.ints('strides', [1, ...pair(strides), 1]),
        ops.string('padding', String(pad).toUpperCase()),
        ops.string('data_format', 'NHWC'),
      ]),
  );
}

export const poolKernels: readonly Registration[] = [
  {
    name: 'MaxPool',
    bind(ops, stock) {
      const plans = poolPlans(ops, 'MaxPool');
      return (call) => {
        const x = call.inputs['x']!;
        const attrs = call.attrs as unknown as PoolAttrs;
        if (x.dtype !== 'float32' || !isNamed(attrs)) return stock(call);
        return ops.tensor(plans(attrs)(ops.handle(x)));
      };
    },
  },
  {
    name: 'MaxPoolGrad',
    bind(ops, stock) {
      const plans = poolPlans(ops, 'MaxPoolGrad');
      return (call) => {
        const { dy, input, output } = call.inputs as Record<'dy' | 'input' | 'output', tf.TensorInfo>;
        const attrs = call.attrs as unknown as PoolAttrs;
        if (!allFloat(dy, input, output) || !isNamed(attrs)) return stock(call);
        return ops.tensor(plans(attrs)(ops.handle(input), ops.handle(output), ops.handle(dy)));
      };
    },
  },
];
