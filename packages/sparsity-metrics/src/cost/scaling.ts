import { FrugalError } from '@frugal/tensor';

/** FLOPs of a petaFLOP/s-day: 10¹⁵ a second for a day. */
const PFLOP_DAY = 1e15 * 86_400;

function checkPositive(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value > 0 && Number.isFinite(value)) continue;
    throw new FrugalError('BAD_ARGUMENT', `${name} must be a positive number, got ${value}.`);
  }
}

/**
 * FLOPs to train a transformer: 6 · parameters · tokens, 2 forward and 4 back (arXiv 2001.08361).
 *
 * Attention over the context is left out, right where the context is shorter than 12 widths. GPT-3: 6 · 1.75e11 · 3e11 = 3.15e23.
 *
 * @param parameters Without embeddings.
 * @param tokens Seen in all, repeated ones too.
 * @throws {FrugalError} `BAD_ARGUMENT` unless both are positive.
 */
export function trainingFlops(parameters: number, tokens: number): number {
  checkPositive({ parameters, tokens });
  return 6 * parameters * tokens;
}

/** FLOPs as petaFLOP/s-days. GPT-3 took 3,640. */
export function petaflopDays(flops: number): number {
  return flops / PFLOP_DAY;
}

/** How large to make a model, and how much to show it. */
export interface Allocation {
  readonly parameters: number;
  readonly tokens: number;
  /** The loss in nats per token that the fitted law predicts. */
  readonly loss: number;
}

/** Options of `chinchilla`. */
export interface ChinchillaOptions {
  /** Tokens per parameter. Default 20, what the paper's three methods come to. */
  readonly ratio?: number;
}

/** Loss law of arXiv 2203.15556, method 3: L = E + A / N^α + B / D^β. */
const LAW = { E: 1.69, A: 406.4, B: 410.7, alpha: 0.34, beta: 0.28 };

/**
 * The model and the data that make most of so many FLOPs (Chinchilla, arXiv 2203.15556): C = 6 · N · D with D = ratio · N.
 *
 * N = √(C / (6 · ratio)). The loss is that of the paper's fit on web text, a guide and no promise for other data.
 *
 * @param flops To spend.
 * @throws {FrugalError} `BAD_ARGUMENT` unless the numbers are positive.
 */
export function chinchilla(flops: number, { ratio = 20 }: ChinchillaOptions = {}): Allocation {
  checkPositive({ flops, ratio });
  const parameters = Math.sqrt(flops / (6 * ratio));
  const tokens = ratio * parameters;
  return { parameters, tokens, loss: chinchillaLoss(parameters, tokens) };
}

/**
 * Loss in nats per token that a transformer of so many parameters reaches on so many tokens of web text (arXiv 2203.15556).
 *
 * @throws {FrugalError} `BAD_ARGUMENT` unless both are positive.
 */
export function chinchillaLoss(parameters: number, tokens: number): number {
  checkPositive({ parameters, tokens });
  const { E, A, B, alpha, beta } = LAW;
  return E + A / parameters ** alpha + B / tokens ** beta;
}
