import { type StructuredLeaf, type Tree, treeClone, treeDispose, treeLeaves, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { accumulate, injectHyperparams, masked } from '../transforms/index.ts';
import type { Check } from './check.ts';
import { demandEqual, snapshot } from './compare.ts';
import { mixed } from './problems.ts';
import { begin, end, follow, followed, gradients, save } from './runner.ts';

/** Two gradients accumulated are one step along their mean; between them nothing moves. */
export const accumulates: Check = async (make, { learningRate }) => {
  const [plain, doubled] = [make(learningRate), accumulate(make(learningRate), 2)];
  for (const how of ['update', 'step'] as const) {
    let a = begin(plain, mixed.start());
    let b = begin(doubled, mixed.start());
    for (let i = 0; i < 3; i++) {
      const [first, second] = [gradients(a.params, 2 * i), gradients(a.params, 2 * i + 1)];
      const means = treeLeaves(first).map((g, k) => tf.tidy(() => tf.mul(tf.add(g, treeLeaves(second)[k]!), 0.5)));
      const before = await snapshot(b.params);
      b = follow(doubled, b, first, how);
      demandEqual('parameters between accumulated steps', await snapshot(b.params), before, 0);
      b = follow(doubled, b, second, how);
      const mean = treeUnflatten(first, means);
      a = follow(plain, a, mean, how);
      treeDispose([first, second, mean]);
    }
    demandEqual(`accumulation (${how})`, await snapshot(b.params), await snapshot(a.params), 1e-5);
    end(a);
    end(b);
  }
};

/** Under a mask the selected parameters move as they would alone, the others not at all. */
export const worksMasked: Check = async (make, { learningRate }) => {
  const chosen = (path: string) => path.startsWith('layers');
  const part = masked(make(learningRate), chosen, { rest: 'freeze' });
  for (const how of ['update', 'step'] as const) {
    const whole = mixed.start();
    const names = Object.keys(await snapshot(whole)).filter(chosen);
    const alone = make(learningRate);
    let a = begin(part, whole);
    const untouched = await snapshot(a.params);
    const pick = (tree: Tree): Tree => {
      const paths = Object.keys(untouched);
      return Object.fromEntries(names.map((name) => [name, treeLeaves(tree)[paths.indexOf(name)]!.clone()]));
    };
    let b = begin(alone, pick(a.params));
    for (let i = 0; i < 3; i++) {
      const grads = gradients(a.params, i);
      const picked = pick(grads);
      a = follow(part, a, grads, how);
      b = follow(alone, b, picked, how);
      treeDispose([grads, picked]);
    }
    const expected = { ...untouched, ...(await snapshot(b.params)) };
    demandEqual(`parameters under a mask (${how})`, await snapshot(a.params), expected, 1e-6);
    end(a);
    end(b);
  }
};

/** Made anew at every step by `injectHyperparams` it does the same. */
export const worksInjected: Check = async (make, { learningRate }) => {
  const ends = [];
  for (const optimizer of [
    make(learningRate),
    injectHyperparams(({ rate }: { rate: number }) => make(rate), { rate: () => learningRate }),
  ]) {
    const at = followed(optimizer, begin(optimizer, mixed.start()), 3);
    ends.push(await save(at));
    end(at);
  }
  demandEqual('parameters under injection', ends[1]!.params, ends[0]!.params, 0);
  demandEqual('state under injection', ends[1]!.state, ends[0]!.state, 0);
};

/** A leaf of the accepted kinds gives what its dense form gives. */
export const takesStructured: Check = async (make, { learningRate }) => {
  const optimizer = make(learningRate);
  for (const kind of optimizer.accepts ?? []) {
    const ends = [];
    for (const dense of [true, false]) {
      const values = tf.tensor2d([1, -2, 3, -4, 5, -6], [2, 3]);
      const grads = { weight: dense ? values : leafOf(kind, values) };
      const start = { weight: tf.ones([2, 3]) };
      for (const how of ['update', 'step'] as const) {
        const at = follow(optimizer, begin(optimizer, treeClone(start)), grads as Tree, how);
        ends.push(await snapshot(at.params));
        end(at);
      }
      tf.dispose([values, start]);
    }
    for (const [i, how] of (['update', 'step'] as const).entries()) {
      demandEqual(`a '${kind}' gradient by ${how}`, ends[2 + i]!, ends[i]!, 1e-6);
    }
  }
};

/** A structured leaf over a tensor that stays the caller's. */
function leafOf(kind: string, values: tf.Tensor, factor = 1): StructuredLeaf {
  return {
    kind,
    shape: values.shape,
    materialize: () => tf.mul(values, factor),
    scale: (more) => leafOf(kind, values, factor * more),
    addTo: (to, more) => {
      const moved = tf.tidy(() => tf.add(to, tf.mul(values, factor * more)));
      to.dispose();
      return moved;
    },
    dispose: () => undefined,
  };
}
