import type { Tree } from '@frugal/tensor';
import { checkNumber, ProbeError } from '../errors.ts';
import { criticalRate } from '../probes/critical-rate.ts';
import { newtonRate } from '../probes/newton-rate.ts';
import { type RangeTestOptions, rangeTest } from '../probes/range-test.ts';
import type { Suggestions } from '../probes/rules.ts';
import type { Problem } from '../problem.ts';
import type { Policy, PolicyOptions } from './policy.ts';

const alone = 'One probe at the start says little about the run: over tasks the best rate was 0.03 to 6 times η_c.';

/** A fraction of η_c at the start, on 1,024 examples: cheap, and alone not to be trusted. */
export function criticalFraction(fraction = 0.5): Policy {
  checkNumber('fraction', fraction, { positive: true });
  return {
    name: `${fraction} η_c`,
    async advise(problem, options) {
      const critical = await criticalRate(problem, { ...options, examples: 1024 });
      const { cost } = critical;
      return { rate: fraction * critical.rate, confidence: 'low', reasons: [alone], evidence: { critical }, cost };
    },
  };
}

/** One of fastai's rules on a range test, times a factor. */
export function rangeTestRule(
  rule: keyof Suggestions = 'valley',
  options: Omit<RangeTestOptions, 'optimizer' | 'signal' | 'onEvent'> & { readonly factor?: number } = {},
): Policy {
  const { factor = 1, ...rest } = options;
  return {
    name: `range test, ${rule}${factor === 1 ? '' : ` × ${factor}`}`,
    async advise<P extends Tree, B>(problem: Problem<P, B>, { optimizer, signal, onEvent }: PolicyOptions) {
      const test = await rangeTest(problem, {
        ...rest,
        optimizer,
        ...(signal === undefined ? {} : { signal }),
        ...(onEvent === undefined ? {} : { onEvent }),
      });
      const pick = test.suggestions[rule];
      if (pick === undefined) {
        throw new ProbeError(
          'FLAT',
          `the rule '${rule}' finds no rate on this curve. Look at the picture of the range test.`,
        );
      }
      return {
        rate: factor * pick,
        confidence: 'low',
        reasons: [`The rule '${rule}' on a range test of ${test.points.length} steps.`],
        evidence: { rangeTest: test },
        cost: test.cost,
      };
    },
  };
}

/** The generalised Newton rate at the start, on 1,024 examples. */
export function newtonPolicy(): Policy {
  return {
    name: 'generalised Newton',
    async advise(problem, options) {
      const { rate, cost } = await newtonRate(problem, { ...options, examples: 1024 });
      return {
        rate,
        confidence: 'low',
        reasons: ['The minimum of a parabola along the first update.'],
        evidence: {},
        cost,
      };
    },
  };
}

/** Always the same rate: what a table says. */
export function fixedRate(rate: number): Policy {
  checkNumber('rate', rate, { positive: true });
  const nothing = { forwards: 0, gradients: 0, flops: 0, ms: 0 };
  return {
    name: `fixed ${rate}`,
    advise: async () => ({ rate, confidence: 'low', reasons: ['Nothing was measured.'], evidence: {}, cost: nothing }),
  };
}
