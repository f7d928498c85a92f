import { readFileSync } from 'node:fs';
import { cpu, jvp, listJvpRules, treeDispose, useBackend } from '@frugal/tensor';
import { expectClose } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { casesOf, kernelNames, withTable } from './features.ts';

const coverage = new Map(listJvpRules().map((entry) => [entry.kernel, entry]));
const ruled = (kernel: string): boolean => coverage.get(kernel)?.kind !== undefined;

describe('coverage of the JVP rules', () => {
  beforeAll(async () => {
    await useBackend(cpu());
  });

  it('every kernel with a gradient in tfjs’s registry has a rule', () => {
    const names = kernelNames();
    const differentiable = names.filter((name) => tf.getGradient(name) !== undefined);
    expect(differentiable.length).toBeGreaterThan(100);
    expect(differentiable.filter((name) => !ruled(name))).toEqual([]);
  });

  it('every kernel has a rule or a reason', () => {
    expect(kernelNames().filter((name) => !coverage.has(name))).toEqual([]);
    for (const { kernel, kind, note } of coverage.values()) {
      if (kind === undefined) expect(note, kernel).toBeTruthy();
    }
  });

  it('the table speaks of kernels that exist', () => {
    const names = new Set(kernelNames());
    expect([...coverage.keys()].filter((kernel) => !names.has(kernel))).toEqual([]);
  });

  it('every rule that is not zero is run by a case', () => {
    const untested = [...coverage.values()].filter(
      ({ kernel, kind }) => kind !== undefined && kind !== 'zero' && casesOf(kernel) === 0,
    );
    // No backend has these kernels; they are run below.
    expect(untested.map(({ kernel }) => kernel)).toEqual(['BroadcastTo', 'LogSoftmax']);
  });

  it('docs/autodiff.md is up to date', () => {
    const page = readFileSync(new URL('../../docs/autodiff.md', import.meta.url), 'utf8');
    expect(page, 'run npx tsx --conditions=@frugal/source tests/autodiff/write-features.ts').toBe(withTable(page));
  });

  it.each([
    ['LogSoftmax', { axis: -1 }, (x: tf.Tensor) => tf.logSoftmax(x), 'logits'],
    ['BroadcastTo', { shape: [2, 2, 3], inputShape: [2, 3] }, (x: tf.Tensor) => tf.broadcastTo(x, [2, 2, 3]), 'x'],
  ] as const)('%s, which no backend has, follows its op', async (kernelName, attrs, op, input) => {
    tf.registerKernel({ kernelName, backendName: 'cpu', kernelFunc: ({ inputs }) => op(inputs[input] as tf.Tensor) });
    const x = tf.tensor2d([0.1, 0.5, -1, 2, 0.3, 0.7], [2, 3]);
    const run = (z: tf.Tensor): tf.Tensor => tf.engine().runKernel(kernelName, { [input]: z }, attrs as never);
    const [out, tangent] = jvp(run, [x], [x]);
    const [same, expected] = jvp(op, [x], [x]);
    await expectClose(tangent, expected, 1e-6);
    treeDispose([x, out, tangent, same, expected]);
    tf.unregisterKernel(kernelName, 'cpu');
  });

  const zeros: Record<string, (x: tf.Tensor) => tf.Tensor> = {
    Floor: tf.floor,
    Ceil: tf.ceil,
    Round: tf.round,
    Sign: tf.sign,
    Step: (x) => tf.step(x),
    OnesLike: tf.onesLike,
    ZerosLike: tf.zerosLike,
    FloorDiv: (x) => tf.floorDiv(x, 0.3),
    Greater: (x) => tf.cast(tf.greater(x, 0), 'float32'),
    ArgMax: (x) => tf.cast(tf.argMax(x, 1), 'float32'),
  };
  it.each(Object.entries(zeros))('%s has the derivative zero', async (_, f) => {
    const x = tf.tensor2d([0.1, 0.5, -1.2, 2.2, 0.3, 0.7], [2, 3]);
    const [out, tangent] = jvp(f, [x], [x]);
    await expectClose(tangent, new Float32Array(out.size), 0);
    treeDispose([x, out, tangent]);
  });
});
