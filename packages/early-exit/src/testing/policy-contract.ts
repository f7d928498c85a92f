import type { ExitPolicy } from '../policies/index.ts';

/** One rule of the contract. */
export interface PolicyCheck {
  readonly name: string;
  /** Returns where the rule holds, throws and says what does not. */
  run(): void;
}

const CLASSES = 4;
const SIZE = 12;
const EXITS = 3;

/** Logits of all examples at an exit, from peaked to flat. */
function logitsAt(exit: number): Float32Array {
  return Float32Array.from(
    { length: SIZE * CLASSES },
    (_, i) => Math.sin(7 * i + 3 * exit) * (1 + Math.floor(i / CLASSES)),
  );
}

const everybody = (): Int32Array => Int32Array.from({ length: SIZE }, (_, i) => i);

function rowsOf(logits: Float32Array, rows: Int32Array): Float32Array {
  return Float32Array.from(
    { length: rows.length * CLASSES },
    (_, i) => logits[rows[Math.floor(i / CLASSES)]! * CLASSES + (i % CLASSES)]!,
  );
}

/** Scores and answers of some examples at every exit. */
function ratings(policy: ExitPolicy, rows: Int32Array): { scores: Float32Array; answers: Float32Array }[] {
  const scorer = policy.start(SIZE, CLASSES);
  return Array.from({ length: EXITS }, (_, exit) => {
    const answers = rowsOf(logitsAt(exit), rows);
    return { scores: scorer.score(exit, answers, rows), answers };
  });
}

function demand(holds: boolean, message: string): void {
  if (!holds) throw new Error(message);
}

const same = (a: Float32Array, b: Float32Array): boolean =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));

/**
 * What every exit policy must do, as named checks for any test runner:
 *
 *     for (const { name, run } of policyContract((thresholds) => myPolicy(thresholds))) test(name, run);
 *
 * @param make The policy with the given thresholds, one per early exit.
 */
export function policyContract(make: (thresholds: readonly number[]) => ExitPolicy): PolicyCheck[] {
  const policy = make([0.5, 0.5, 0.5]);
  return [
    {
      name: 'keeps its thresholds and takes others',
      run() {
        demand(
          policy.thresholds.length === EXITS,
          `it was given ${EXITS} thresholds and has ${policy.thresholds.length}.`,
        );
        const others = policy.withThresholds([1, 2, 3]).thresholds;
        demand(others.join() === '1,2,3', `withThresholds([1, 2, 3]) has [${others}].`);
      },
    },
    {
      name: 'gives every example a score that is a number',
      run() {
        for (const { scores } of ratings(policy, everybody())) {
          demand(scores.length === SIZE, `${SIZE} examples got ${scores.length} scores.`);
          demand(!scores.some(Number.isNaN), 'a score is NaN.');
        }
      },
    },
    {
      name: 'starts every batch afresh',
      run() {
        const [first, second] = [ratings(policy, everybody()), ratings(policy, everybody())];
        demand(
          first.every(({ scores }, exit) => same(scores, second[exit]!.scores)),
          'a second batch gets other scores.',
        );
      },
    },
    {
      name: 'rates an example by itself, whoever else is there',
      run() {
        const some = Int32Array.of(1, 4, 5, 10);
        const [all, few] = [ratings(policy, everybody()), ratings(policy, some)];
        for (const [exit, { scores, answers }] of few.entries()) {
          const expected = Float32Array.from(some, (row) => all[exit]!.scores[row]!);
          demand(same(scores, expected), `exit ${exit}: scores change when others have left.`);
          demand(
            same(answers, rowsOf(all[exit]!.answers, some)),
            `exit ${exit}: answers change when others have left.`,
          );
        }
      },
    },
    {
      name: 'answers with numbers',
      run() {
        for (const { answers } of ratings(policy, everybody()))
          demand(answers.every(Number.isFinite), 'an answer is not finite.');
      },
    },
  ];
}
