import { cpu, useBackend } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import type { Tree } from '../seams/index.ts';
import { TreeMismatchError, treeDispose, treeEntries, treeFromEntries, treeRestore } from './index.ts';

let leaf: tf.Tensor;
beforeAll(async () => {
  await useBackend(cpu());
  leaf = tf.scalar(1);
});

it('undoes treeEntries for any tree without empty parts', () => {
  const name = fc.stringMatching(/^[a-z_]{1,3}$/);
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.constant(null).map(() => leaf),
      fc.array(tie('tree'), { minLength: 1, maxLength: 12 }),
      fc.dictionary(name, tie('tree'), { minKeys: 1, maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(tree, (original) => {
      const back = treeFromEntries(treeEntries(original));
      const shape = (node: Tree): unknown =>
        node === leaf
          ? 'leaf'
          : Array.isArray(node)
            ? node.map(shape)
            : Object.entries(node).map(([k, v]) => [k, shape(v)]);
      expect(shape(back)).toEqual(shape(original));
    }),
  );
});

it('makes objects of names that are not 0 … n-1', () => {
  expect(
    treeFromEntries([
      ['a.0', leaf],
      ['a.2', leaf],
    ]),
  ).toEqual({ a: { 0: leaf, 2: leaf } });
  expect(
    treeFromEntries([
      ['a.1', leaf],
      ['a.0', leaf],
    ]),
  ).toEqual({ a: [leaf, leaf] });
  expect(treeFromEntries([['a.4294967295', leaf]])).toEqual({ a: { 4294967295: leaf } });
  expect(treeFromEntries([['a.00', leaf]])).toEqual({ a: { '00': leaf } });
  expect(treeFromEntries([])).toEqual({});
  const odd = treeFromEntries([['constructor.prototype.x', leaf]]);
  expect(Object.keys(odd)).toEqual(['constructor']);
});

it('refuses paths that contradict each other or reach a prototype', () => {
  for (const paths of [['a', 'a'], ['a', 'a.b'], ['a.b', 'a'], ['a.__proto__.b'], ['__proto__']]) {
    expect(() => treeFromEntries(paths.map((path) => [path, leaf])), String(paths)).toThrow(TreeMismatchError);
  }
  expect(Object.prototype).not.toHaveProperty('b');
});

it('restores the structure of another tree, empty parts included', () => {
  const like = { opt: [{}, { m: tf.zeros([2]) }], w: tf.zeros([1]) };
  const entries: [string, tf.Tensor][] = [
    ['w', tf.ones([1])],
    ['opt.1.m', tf.ones([2])],
  ];
  const back = treeRestore(like, entries);
  expect(back).toEqual({ opt: [{}, { m: entries[1]![1] }], w: entries[0]![1] });
  expect(() => treeRestore(like, entries.slice(1))).toThrow(/'w'.*missing/);
  expect(() => treeRestore(like, [...entries, ['x', leaf]])).toThrow(/'x'.*not in the tree/);
  expect(() => treeRestore(like, [entries[1]!, ['w', leaf]])).toThrow(/'w'.*expected float32 \[1\], got float32 \[\]/);
  treeDispose([like, back]);
});
