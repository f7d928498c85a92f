import { describeEachBackend } from '@frugal/test-support';
import { expect, it } from 'vitest';
import { paddedSize, prefersStaticShapes } from './static-shapes.ts';

it('pads to powers of two', () => {
  expect([0, 1, 2, 3, 8, 9, 1000].map(paddedSize)).toEqual([0, 1, 2, 4, 8, 16, 1024]);
});

describeEachBackend('prefersStaticShapes', (name) => {
  it('is true where programs are compiled for a shape', () => {
    expect(prefersStaticShapes()).toBe(name === 'webgl');
  });
});
