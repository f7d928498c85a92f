// Every kernel that has a derivative: value, gradient and tangent on each backend equal those of cpu. What the rule cases
// call faulty on a backend is left out.
import { cpu, useBackend } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { cases, samplesOf } from '../autodiff/samples.ts';
import { listed, toleranceOf } from './listed.ts';
import { distance, outcome } from './outcome.ts';

const count = process.env.FRUGAL_DEEP === '1' ? 20 : 1;

describeEachBackend('kernels agree with cpu', (backend) => {
  describe.skipIf(backend === 'cpu')('all', () => {
    beforeAll(async () => {
      await useBackend(cpu());
    });

    const sound = cases.filter(({ faulty }) => faulty?.[backend] === undefined);
    it.each(sound.map((one) => [one.name, one] as const))('%s', async (name, one) => {
      const differentiate = one.noVjp === undefined;
      for (const sample of samplesOf(one, count)) {
        await tf.setBackend('cpu');
        const expected = await outcome(sample, differentiate);
        await tf.setBackend(backend);
        const check = async (): Promise<void> => {
          const actual = await outcome(sample, differentiate);
          for (const part of ['value', 'gradient', 'tangent'] as const) {
            const label = `${part} of ${sample.program.label}`;
            expect(distance(actual[part], expected[part]), label).toBeLessThanOrEqual(toleranceOf(backend, name));
          }
        };
        const reason = listed[backend]?.[name];
        // A listed kernel that works again must be taken from the list.
        if (reason === undefined) await check();
        else await expect(check(), `listed because: ${reason}`).rejects.toThrow();
      }
    });
  });
});
