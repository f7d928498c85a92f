import { readFileSync } from 'node:fs';
import { mlp } from '@frugal/nn';
import { key, type Tree, treeDispose } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { type KeptUnits, pruneUnits, unitMasks } from '../structured/units.ts';
import type { Amount } from './amount.ts';
import type { Masks } from './masks.ts';
import { magnitudeMasks } from './prune.ts';

interface Case {
  kind: 'layer' | 'global' | 'units';
  shapes: [number, number][];
  amounts: Amount[];
  weights: number[][];
  norm: 1 | 2;
  /** After each call, of each layer. */
  masks: number[][][];
}

const url = new URL('../../../../tests/vectors/prune.json', import.meta.url);
const { source, cases } = JSON.parse(readFileSync(url, 'utf8')) as { source: string; cases: Case[] };

describeEachBackend(`masks equal those of ${source}`, () => {
  for (const { kind, shapes, amounts, weights, masks: expected } of cases) {
    if (kind === 'units') continue;
    const sizes = shapes.map((shape) => shape.join('×')).join(' and ');
    it(`${kind}: ${sizes}, ${amounts.map((amount) => JSON.stringify(amount)).join(', then ')}`, async () => {
      const params: Tree = weights.map((values, i) => tf.tensor2d(values, shapes[i]!));
      let masks: Masks = {};
      for (const [call, amount] of amounts.entries()) {
        const next = await magnitudeMasks(params, amount, { scope: kind, masks });
        treeDispose(masks);
        masks = next;
        const got = await Promise.all(weights.map((_, i) => masks[String(i)]!.data()));
        expect(got.map((mask) => Array.from(mask))).toEqual(expected[call]);
      }
      treeDispose([params, masks]);
    });
  }

  for (const { kind, norm, shapes, amounts, weights, masks: expected } of cases) {
    if (kind !== 'units') continue;
    const [units, inputs] = shapes[0]!;
    it(`units of ${units}×${inputs} by their ${norm}-norm: ${amounts.map((amount) => JSON.stringify(amount)).join(', then ')}`, async () => {
      const model = mlp([inputs, units, 1]);
      const full = model.init(key(1));
      // PyTorch's weight is [out, in].
      const weight = tf.tidy(() => tf.transpose(tf.tensor2d(weights[0]!, [units, inputs])));
      const params = [{ ...full[0]!, weight }, full[1]!];
      let kept: KeptUnits = {};
      for (const [call, amount] of amounts.entries()) {
        kept = await pruneUnits(model, params, amount, { norm, kept });
        const masks = unitMasks(model, params, kept);
        const mask = tf.tidy(() => tf.transpose(masks['0.weight']!));
        expect(Array.from(await mask.data())).toEqual(expected[call]![0]);
        treeDispose([masks, mask]);
      }
      treeDispose([full, weight]);
    });
  }
});
