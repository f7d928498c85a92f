import { type Tree, treeDispose, treeLeaves, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import type { Check } from './check.ts';
import { allFinite, demand, demandEqual, demandSameForm, snapshot } from './compare.ts';
import { mixed } from './problems.ts';
import { begin, copy, end, follow, followed, gradients, save } from './runner.ts';

/** What the state and the parameters look like never changes. */
export const keepsForm: Check = async (make, { learningRate }) => {
  const optimizer = make(learningRate);
  let at = begin(optimizer, mixed.start());
  const fresh = await save(at);
  for (const how of ['update', 'step'] as const) {
    at = followed(optimizer, at, 2, how);
    const now = await save(at);
    demandSameForm(`parameters after ${how}`, now.params, fresh.params);
    demandSameForm(`state after ${how}`, now.state, fresh.state);
    demand(allFinite(now.params), `parameters after ${how} must be finite.`);
  }
  end(at);
};

/** As many tensors and bytes are alive afterwards as before, and after each step. */
export const leaksNothing: Check = async (make, { learningRate }) => {
  for (const how of ['update', 'step'] as const) {
    const before = tf.memory();
    const optimizer = make(learningRate);
    let at = begin(optimizer, mixed.start());
    const started = tf.memory();
    for (let i = 0; i < 4; i++) {
      at = followed(optimizer, at, 1, how);
      const now = tf.memory();
      const more = now.numTensors - started.numTensors;
      demand(more === 0, `step ${i} (${how}): must leave as many tensors alive as init did, got ${more} more.`);
      const bytes = now.numBytes - started.numBytes;
      demand(bytes === 0, `step ${i} (${how}): must leave as many bytes alive as init did, got ${bytes} more.`);
    }
    end(at);
    const left = tf.memory().numTensors - before.numTensors;
    demand(left === 0, `${how}: after disposing parameters and state no tensor may be left, got ${left}.`);
  }
};

/** The fused step does what `update` and adding do. */
export const stepsAsItUpdates: Check = async (make, { learningRate }) => {
  const optimizer = make(learningRate);
  const ends = [];
  for (const how of ['update', 'step'] as const) {
    const at = followed(optimizer, begin(optimizer, mixed.start()), 5, how);
    ends.push(await save(at));
    end(at);
  }
  demandEqual('parameters by step against update', ends[1]!.params, ends[0]!.params, 1e-5);
  demandEqual('state by step against update', ends[1]!.state, ends[0]!.state, 1e-5);
};

/** `update` changes and disposes nothing; `step` not the gradients, nor what somebody else holds of the donated. */
export const respectsOwnership: Check = async (make, { learningRate }) => {
  const optimizer = make(learningRate);
  let at = begin(optimizer, mixed.start());
  const grads = gradients(at.params, 5);
  const loss = tf.scalar(1);
  const before = { ...(await save(at)), grads: await snapshot(grads) };
  const given = treeLeaves([grads, at.params, at.state]);
  const alive = (): boolean => given.every((leaf) => !leaf.isDisposed);

  const extra = { step: 0, loss, evaluate: () => tf.scalar(1) };
  const [updates, after] = optimizer.update(grads, at.state, at.params, extra);
  demand(alive(), 'update must dispose nothing that it was given.');
  treeDispose([updates as Tree, after]);
  const advice = 'update must return new tensors: disposing what it returned disposed what it was given.';
  demand(alive(), `${advice} Clone what you hand on.`);

  const held = copy(at);
  at = follow(optimizer, at, grads);
  const now = await save(held);
  demandEqual('gradients after update and step', await snapshot(grads), before.grads, 0);
  demandEqual('clones of the parameters after step', now.params, before.params, 0);
  demandEqual('clones of the state after step', now.state, before.state, 0);
  treeDispose([grads, loss]);
  end(held);
  end(at);
};

/** Variables among the parameters stay alive through a step and take its result. */
export const worksOnVariables: Check = async (make, { learningRate }) => {
  const optimizer = make(learningRate);
  const plain = followed(optimizer, begin(optimizer, mixed.start()), 3);
  const start = mixed.start();
  const variables = treeLeaves(start).map((leaf) => tf.variable(leaf));
  treeDispose(start);
  const params = treeUnflatten(start, variables) as Tree;
  let state = optimizer.init(params);
  for (let step = 0; step < 3; step++) {
    const grads = gradients(params, step);
    const at = follow(optimizer, { params, state, step }, grads);
    demand(
      variables.every((variable) => !variable.isDisposed),
      'step must not dispose a variable.',
    );
    treeLeaves(at.params).forEach((leaf, i) => {
      if (leaf === variables[i]) return;
      variables[i]!.assign(leaf);
      leaf.dispose();
    });
    state = at.state;
    treeDispose(grads);
  }
  demandEqual('variables after step', await snapshot(params), await snapshot(plain.params), 1e-6);
  tf.dispose(variables);
  treeDispose(state);
  end(plain);
};

/** Gradients of zero and trees without parameters do no harm. */
export const survivesNothing: Check = async (make, { learningRate }) => {
  const optimizer = make(learningRate);
  let at = begin(optimizer, mixed.start());
  for (let i = 0; i < 2; i++) {
    const zeros = treeUnflatten(
      at.params,
      treeLeaves(at.params).map((leaf) => tf.zeros(leaf.shape)),
    );
    at = follow(optimizer, at, zeros, i === 0 ? 'update' : 'step');
    treeDispose(zeros);
  }
  const params = await snapshot(at.params);
  end(at);
  demand(allFinite(params), 'parameters must stay finite where the gradient is zero.');
  for (const how of ['update', 'step'] as const) end(follow(optimizer, begin(optimizer, {}), {}, how));
};
