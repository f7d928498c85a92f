import { key, meter, type Tree, treeDispose, treeMap } from '@frugal/tensor';
import { describeEachBackend, expectClose, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import type { ExitParams } from './exit-model.ts';
import { examples, smallModel } from './fixture.ts';
import {
  arithmeticEnsemble,
  type ExitPolicy,
  exitCosts,
  fixedDepth,
  geometricEnsemble,
  lowEntropy,
  margin,
  maxProbability,
  patience,
  runExits,
} from './index.ts';

const policies: ExitPolicy[] = [
  maxProbability([0.8, 0.7, 0.6]),
  lowEntropy([-0.5, -0.6, -0.6]),
  margin([0.6, 0.5, 0.4]),
  patience([1, 1, 1]),
  arithmeticEnsemble([0.8, 0.7, 0.6]),
  geometricEnsemble([0.8, 0.7, 0.6]),
  fixedDepth(1, 3),
];

/** The same tree with NaN in every weight that `poisoned` names. */
function poison(params: ExitParams<Tree>, poisoned: Partial<ExitParams<Tree>>): ExitParams<Tree> {
  const nan = <T extends Tree>(tree: T): T => treeMap((leaf) => tf.fill(leaf.shape, Number.NaN), tree) as T;
  const copy = <T extends Tree>(tree: T): T => treeMap((leaf) => tf.clone(leaf), tree) as T;
  const layers = params.backbone as readonly Tree[];
  const bad = poisoned.backbone as readonly Tree[];
  return {
    backbone: layers.map((layer) => (bad.includes(layer) ? nan(layer) : copy(layer))),
    heads: params.heads.map((head) => (poisoned.heads!.includes(head) ? nan(head) : copy(head))),
  };
}

describeEachBackend('runExits', () => {
  it.each(policies)('$name: answers as the exits do alone, at the cost that the meter counts', async (policy) => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const params = model.init(key(1));
      const x = examples(60);
      const costs = exitCosts(model, params, x);
      const { result: run, flops, unknown } = await meter(() => runExits(model, params, x, { policy, costs }));
      expect(unknown).toEqual([]);
      const sum = run.cost.reduce((a, b) => a + b, 0);
      expect(Math.abs(sum - flops) / flops, 'sum of costs against the meter').toBeLessThan(0.01);
      if (policy.name !== 'fixed depth')
        expect(new Set(run.exits).size, 'different exits are taken').toBeGreaterThan(2);

      const outputs = model.outputs(params, x);
      if (!policy.name.includes('ensemble')) {
        const all = await Promise.all(outputs.map(async (output) => (await output.data()) as Float32Array));
        const expected = Float32Array.from({ length: 180 }, (_, i) => all[run.exits[Math.floor(i / 3)]!]![i]!);
        await expectClose(run.output, expected, 1e-5);
      }
      treeDispose([params, x, run.output, outputs]);
    });
  });

  it('never touches what comes after the exit', async () => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const params = model.init(key(1));
      const [, second, third, fourth] = params.backbone as unknown as [Tree, Tree, Tree, Tree];
      const rest = params.heads.slice(2);
      const bad = poison(params, { backbone: [second, third, fourth], heads: rest });
      const x = examples(20);
      const run = await runExits(model, bad, x, { policy: fixedDepth(1, 3) });
      expect((await run.output.data()).every(Number.isFinite)).toBe(true);
      expect([...new Set(run.exits)]).toEqual([1]);
      treeDispose([params, bad, x, run.output]);
    });
  });

  it('runs everybody to the end where no exit is open', async () => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const params = model.init(key(1));
      const x = examples(8);
      const never = Number.POSITIVE_INFINITY;
      const run = await runExits(model, params, x, { policy: maxProbability([never, never, never]) });
      const whole = model.apply(params, x);
      await expectClose(run.output, whole, 1e-6);
      expect([...run.exits]).toEqual(new Array(8).fill(3));
      treeDispose([params, x, run.output, whole]);
    });
  });

  it('fills batches up where shapes must be few: the same answers, at the cost that the meter counts', async () => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const params = model.init(key(1));
      const x = examples(60);
      const costs = exitCosts(model, params, x);
      const policy = maxProbability([0.8, 0.7, 0.6]);
      const plain = await runExits(model, params, x, { policy, costs });
      const { result: run, flops } = await meter(() => runExits(model, params, x, { policy, costs, pad: true }));
      expect([...run.exits]).toEqual([...plain.exits]);
      await expectClose(run.output, plain.output, 1e-6);
      const sum = (costs: readonly number[]): number => costs.reduce((a, b) => a + b, 0);
      expect(sum(run.cost)).toBeGreaterThan(sum(plain.cost));
      expect(Math.abs(sum(run.cost) - flops) / flops, 'sum of costs against the meter').toBeLessThan(0.01);
      treeDispose([params, x, plain.output, run.output]);
    });
  });

  it('refuses a policy for another number of exits, and leaks nothing then', async () => {
    await expectNoLeak(async () => {
      const model = smallModel();
      const params = model.init(key(1));
      const x = examples(2);
      await expect(runExits(model, params, x, { policy: margin([0.5]) })).rejects.toThrow(/1 thresholds, the model 3/);
      treeDispose([params, x]);
    });
  });
});
