import { treeClone, treeDispose } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Check } from './check.ts';
import { demand, demandEqual, snapshot } from './compare.ts';
import { evaluate, mixed, type Problem } from './problems.ts';
import { begin, descend, end, followed, restore, save } from './runner.ts';

/** The optimizer lowers the loss of a problem to a share of the first. */
export function converges(problem: Problem): Check {
  const share = problem.name === 'Rosenbrock' ? 0.5 : 0.05;
  return async (make, { learningRate, steps, rates, decay }) => {
    const rate = rates[problem.name] ?? learningRate;
    const optimizer = make(decay(rate, steps));
    const start = begin(optimizer, problem.start());
    const first = tf.tidy(() => problem.loss(start.params));
    const last = descend(optimizer, problem, start, steps);
    const params = optimizer.evaluationParams?.(last.state, last.params) ?? treeClone(last.params);
    const { loss, grads } = evaluate(problem, params);
    const [before, after] = [(await first.data())[0]!, (await loss.data())[0]!];
    treeDispose([first, params, loss, grads]);
    end(last);
    demand(
      after <= share * before,
      `${problem.name}: ${steps} steps at learning rate ${rate} must bring the loss from ${before} to ` +
        `${share * before} or less, got ${after}.`,
    );
  };
}

/** A schedule holds as a number does; its steps count up from 0; a rate of 0 moves nothing. */
export const takesSchedule: Check = async (make, { learningRate }) => {
  const seen = new Set<number>();
  const spied = (step: number) => {
    seen.add(step);
    return learningRate;
  };
  const ends = [];
  for (const rate of [learningRate, spied]) {
    const optimizer = make(rate);
    const at = followed(optimizer, begin(optimizer, mixed.start()), 3);
    ends.push(await save(at));
    end(at);
  }
  demandEqual('a constant schedule against the same number', ends[1]!.params, ends[0]!.params, 0);
  demand(
    [0, 1, 2].every((step) => seen.has(step)),
    `the schedule must be asked for steps 0, 1, 2, got ${[...seen]}.`,
  );
  const still = make(() => 0);
  const at = followed(still, begin(still, mixed.start()), 3);
  const start = mixed.start();
  demandEqual('parameters at a rate of 0', await snapshot(at.params), await snapshot(start), 1e-6);
  treeDispose(start);
  end(at);
};

/** Saved as arrays, loaded into a fresh optimizer and gone on with, a run ends bit for bit where it would have ended. */
export const survivesSaving: Check = async (make, { learningRate }) => {
  const through = make(learningRate);
  const undisturbed = followed(through, begin(through, mixed.start()), 6);
  const first = make(learningRate);
  const half = followed(first, begin(first, mixed.start()), 3);
  const saved = await save(half);
  end(half);

  const second = make(learningRate);
  const fresh = begin(second, mixed.start());
  const loaded = { params: await restore(fresh.params, saved.params), state: await restore(fresh.state, saved.state) };
  end(fresh);
  const resumed = followed(second, { ...loaded, step: 3 }, 3);
  const [a, b] = [await save(resumed), await save(undisturbed)];
  end(resumed);
  end(undisturbed);
  demandEqual('parameters of a resumed run', a.params, b.params, 0);
  demandEqual('state of a resumed run', a.state, b.state, 0);
};

/** Two runs end at the same bits, also side by side: nothing is kept outside of the state. */
export const isDeterministic: Check = async (make, { learningRate }) => {
  const optimizer = make(learningRate);
  let [a, b] = [begin(optimizer, mixed.start()), begin(optimizer, mixed.start())];
  a = followed(optimizer, a, 2);
  b = followed(optimizer, b, 3);
  a = followed(optimizer, a, 1);
  const [left, right] = [await save(a), await save(b)];
  end(a);
  end(b);
  demandEqual('parameters of an equal run', left.params, right.params, 0);
  demandEqual('state of an equal run', left.state, right.state, 0);
};
