// Every kernel that has a derivative: value, gradient and tangent on each backend equal those of cpu. What the rule cases
// call faulty on a backend is left out.
import { cpu, useBackend } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { cases, type Sample, samplesOf } from '../autodiff/samples.ts';
import { listed, toleranceOf } from './listed.ts';
import { distance, type Outcome, outcome } from './outcome.ts';

const deep = process.env.FRUGAL_DEEP === '1';
const count = deep ? 20 : 1;

async function settle(): Promise<void> {
  const two = tf.tidy(() => tf.add(tf.ones([1]), 1));
  await two.data();
  two.dispose();
}

/** What differs from the cpu backend's outcome, in words. */
async function differences(
  sample: Sample,
  expected: Outcome,
  differentiate: boolean,
  tolerance: number,
): Promise<string[]> {
  try {
    const actual = await outcome(sample, differentiate);
    // What a device has to complain about comes with a later read: here, and not in the next kernel's test.
    await settle();
    return (['value', 'gradient', 'tangent'] as const)
      .map((part) => [part, distance(actual[part], expected[part])] as const)
      .filter(([, apart]) => !(apart <= tolerance))
      .map(([part, apart]) => `${part} of ${sample.program.label}: ${apart}`);
  } catch (error) {
    await settle().catch(() => {});
    return [`${sample.program.label}: ${error}`];
  }
}

describeEachBackend('kernels agree with cpu', (backend) => {
  describe.skipIf(backend === 'cpu')('all', () => {
    beforeAll(async () => {
      await useBackend(cpu());
    });

    const sound = cases.filter(({ faulty }) => faulty?.[backend] === undefined);
    it.each(sound.map((one) => [one.name, one] as const))('%s', async (name, one) => {
      const differentiate = one.noVjp === undefined;
      const wrong: string[] = [];
      for (const sample of samplesOf(one, count)) {
        await tf.setBackend('cpu');
        const expected = await outcome(sample, differentiate);
        await tf.setBackend(backend);
        wrong.push(...(await differences(sample, expected, differentiate, toleranceOf(backend, name))));
      }
      const reason = listed[backend]?.[name];
      if (reason === undefined) expect(wrong).toEqual([]);
      // A listed kernel that works again must be taken from the list; a single sample may happen to be right.
      else if (deep) expect(wrong, `listed because: ${reason}`).not.toEqual([]);
    });
  });
});
