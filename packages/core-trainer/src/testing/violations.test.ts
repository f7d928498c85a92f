import { type GradientTransformation, type Tree, treeDispose, treeMap, treeZerosLike } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { momentum, sgd } from '../optimizers/index.ts';
import { type Rate, toSchedule } from '../schedules/index.ts';
import { scaleByLearningRate } from '../transforms/index.ts';
import type { MakeOptimizer } from './check.ts';
import { ContractViolation } from './compare.ts';
import { optimizerContract } from './contract.ts';

const times = (tree: unknown, factor: number) => treeMap((g) => tf.mul(g, factor), tree as Tree);

/** Gradient descent that is right, to be broken in one place. */
function correct(rate: Rate): GradientTransformation {
  const at = toSchedule('learningRate', rate);
  return { init: () => ({}), update: (grads, _state, _params, { step }) => [times(grads, -at(step)), {}] };
}

/** Descent whose pace depends on how often any of its kind was used. */
function sharing(): MakeOptimizer {
  let used = 0;
  return (rate) => ({
    ...correct(rate),
    update: (g, _s, _p, { step }) => [times(g, -toSchedule('r', rate)(step) / ++used), {}],
  });
}

/** What is wrong, the rule that must notice, the optimizer. */
const broken: Record<string, [rule: string, make: MakeOptimizer, message: RegExp]> = {
  'goes uphill': [
    'converges: parabola',
    (rate) => ({ ...correct(rate), update: (g, _s, _p, { step }) => [times(g, toSchedule('r', rate)(step)), {}] }),
    /must bring the loss/,
  ],
  'grows its state': [
    'keeps shapes, types and the form of its state',
    (rate) => ({
      ...correct(rate),
      update: (g, s, p, extra) => [correct(rate).update(g, s, p, extra)[0], { more: tf.scalar(1) }],
    }),
    /the leaves must be \[\], got \[more\]/,
  ],
  'rounds its parameters to integers': [
    'keeps shapes, types and the form of its state',
    (rate) => ({
      ...correct(rate),
      step: (_g, s, p) => {
        const rounded = treeMap((x) => tf.cast(x, 'int32'), p);
        treeDispose(p);
        return [rounded as typeof p, s];
      },
    }),
    /must be float32/,
  ],
  'asks its schedule for another step': [
    'accepts a schedule',
    (rate) => sgd((step) => toSchedule('r', rate)(step + 1)),
    /must be asked for steps 0, 1, 2/,
  ],
  'moves at a rate of 0': [
    'accepts a schedule',
    (rate) => sgd((step) => toSchedule('r', rate)(step) + 0.01),
    /parameters at a rate of 0/,
  ],
  'keeps its velocity in a closure': [
    'is deterministic',
    (rate) => {
      const at = toSchedule('learningRate', rate);
      let boost = 1;
      return {
        ...correct(rate),
        update: (g, _s, _p, { step }) => {
          boost *= 1.1;
          return [times(g, -at(step) * boost), {}];
        },
      };
    },
    /parameters of an equal run/,
  ],
  'counts steps in a closure': [
    'survives saving and loading',
    (rate) => {
      let step = 0;
      return {
        ...correct(rate),
        update: (g) => {
          step++;
          return [times(g, -toSchedule('r', rate)(0) / step), {}];
        },
      };
    },
    /parameters of a resumed run/,
  ],
  'leaks a tensor a step': [
    'leaks nothing',
    (rate) => ({
      ...correct(rate),
      update: (g, s, p, extra) => {
        tf.scalar(1);
        return correct(rate).update(g, s, p, extra);
      },
    }),
    /as many tensors alive/,
  ],
  'steps otherwise than it updates': [
    'steps as it updates',
    (rate) => ({ ...momentum(rate), step: momentum(rate, { beta: 0.8 }).step as never }),
    /parameters by step against update/,
  ],
  'disposes its gradients': [
    'leaves what it does not own',
    (rate) => ({
      ...correct(rate),
      update: (g, s, p, extra) => {
        const out = correct(rate).update(g, s, p, extra);
        treeDispose(g);
        return out;
      },
    }),
    /must dispose nothing/,
  ],
  'hands its state on without a clone': [
    'leaves what it does not own',
    (rate) => ({
      ...correct(rate),
      init: (params) => ({ m: treeZerosLike(params) }),
      update: (g, s, p, extra) => [correct(rate).update(g, {}, p, extra)[0], s],
    }),
    /Clone what you hand on/,
  ],
  'disposes variables': [
    'works on variables',
    (rate) => ({
      ...correct(rate),
      step: (g, s, p, extra) => {
        const [updates] = correct(rate).update(g, s, p, extra);
        const moved = treeMap((x, u) => tf.add(x, u!), p, updates);
        treeDispose([updates as Tree, p]);
        return [moved as typeof p, s];
      },
    }),
    /must not dispose a variable/,
  ],
  'divides by the size of the gradient': [
    'survives zero gradients and empty trees',
    (rate) => ({
      ...correct(rate),
      update: (g, _s, _p, { step }) => {
        const at = toSchedule('r', rate)(step);
        return [treeMap((x) => tf.tidy(() => tf.div(tf.mul(x, -at), tf.norm(x))), g as Tree), {}];
      },
    }),
    /finite where the gradient is zero/,
  ],
  'shares a number with its like': ['works under accumulation', sharing(), /accumulation/],
  'shares a number with its like, masked': ['works under a mask', sharing(), /under a mask/],
  'is made otherwise each time': [
    'works under injection',
    (() => {
      let made = 0;
      return (rate: Rate) => sgd((step) => toSchedule('r', rate)(step) * ++made);
    })(),
    /under injection/,
  ],
  'takes a leaf for dense': [
    'takes the structured leaves that it accepts',
    (rate) => ({
      ...scaleByLearningRate(rate),
      update: (g, s, p, extra) =>
        'weight' in g && 'kind' in (g.weight as object)
          ? [{ weight: tf.zeros([2, 3]) }, {}]
          : scaleByLearningRate(rate).update(g, s as never, p, extra),
    }),
    /a 'rankOne' gradient by update/,
  ],
};

describeEachBackend('the contract is broken by an optimizer that', () => {
  for (const [what, [rule, make, message]] of Object.entries(broken)) {
    it(what, async () => {
      const check = optimizerContract(make).find(({ name }) => name === rule)!;
      const violation = await check.run().then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(violation).toBeInstanceOf(ContractViolation);
      expect((violation as Error).message).toMatch(message);
      tf.disposeVariables();
    });
  }

  it('skips by name only', () => {
    const names = optimizerContract(sgd, { skip: { 'converges: Rosenbrock': 'too steep' } }).map(({ name }) => name);
    expect(names).not.toContain('converges: Rosenbrock');
    expect(() => optimizerContract(sgd, { skip: { Rosenbrock: '' } })).toThrow(/'Rosenbrock', but there are/);
    expect(() => optimizerContract(sgd, { rates: { rosenbrock: 1 } })).toThrow(/'rosenbrock'/);
  });
});
