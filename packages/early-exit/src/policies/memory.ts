import { argMax, logSumExp, topProbability } from './confidence.ts';
import { type ExitPolicy, makePolicy } from './policy.ts';

/**
 * Leaves when so many exits in a row agree on the answer (PABEE, arXiv 2006.04152).
 *
 * Scores count the exits before that said the same without interruption: threshold 1 is one confirmation.
 */
export function patience(thresholds: readonly number[]): ExitPolicy {
  return makePolicy('patience', thresholds, (size, classes) => {
    const answers = new Int32Array(size).fill(-1);
    const agreed = new Float32Array(size);
    return {
      score: (_, logits, rows) =>
        Float32Array.from(rows, (row, i) => {
          const answer = argMax(logits.subarray(i * classes, (i + 1) * classes));
          agreed[row] = answer === answers[row] ? agreed[row]! + 1 : 0;
          answers[row] = answer;
          return agreed[row]!;
        }),
    };
  });
}

/** Averages what the exits so far said, and answers by the average; `toTerm` and `toLogit` say in which space. */
function ensemble(
  name: string,
  thresholds: readonly number[],
  toTerm: (logProbability: number) => number,
  toLogit: (average: number) => number,
): ExitPolicy {
  return makePolicy(name, thresholds, (size, classes) => {
    const sums = new Float64Array(size * classes);
    return {
      score(exit, logits, rows) {
        return Float32Array.from(rows, (row, i) => {
          const own = logits.subarray(i * classes, (i + 1) * classes);
          const total = logSumExp(own);
          for (let c = 0; c < classes; c++) {
            const sum = sums[row * classes + c]! + toTerm(own[c]! - total);
            sums[row * classes + c] = sum;
            own[c] = toLogit(sum / (exit + 1));
          }
          return topProbability(own);
        });
      },
    };
  });
}

/** The smallest logarithm that an averaged probability of 0 becomes. */
const FLOOR = 1e-30;

/** The mean of the exits' probabilities; leaves and answers by its largest. */
export function arithmeticEnsemble(thresholds: readonly number[]): ExitPolicy {
  return ensemble('arithmetic ensemble', thresholds, Math.exp, (average) => Math.log(Math.max(average, FLOOR)));
}

/** The normalised geometric mean of the exits' probabilities (Zero Time Waste, arXiv 2106.05409). */
export function geometricEnsemble(thresholds: readonly number[]): ExitPolicy {
  const identity = (value: number): number => value;
  return ensemble('geometric ensemble', thresholds, identity, identity);
}
