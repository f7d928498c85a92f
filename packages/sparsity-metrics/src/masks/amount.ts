import { FrugalError } from '@frugal/tensor';

/**
 * How much to cut: a share of what is *left*, in [0, 1], as in `torch.nn.utils.prune`; so many; or as much as brings the
 * share of zeros to `sparsity`, whatever was cut before.
 */
export type Amount = number | { readonly count: number } | { readonly sparsity: number };

/** Rounds halves to even, as Python does, so that shares cut as many weights as in PyTorch. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/**
 * How many of `left` to cut, where `total` were there at first.
 *
 * @throws {FrugalError} `BAD_OPTION` for a share outside [0, 1], or a count that is no integer from 0 to `left`.
 */
export function countToCut(amount: Amount, left: number, total: number): number {
  if (typeof amount === 'object' && 'count' in amount) {
    const { count } = amount;
    if (Number.isInteger(count) && count >= 0 && count <= left) return count;
    throw new FrugalError(
      'BAD_OPTION',
      `amount.count must be an integer from 0 to the ${left} that are left, got ${count}.`,
    );
  }
  const share = typeof amount === 'number' ? amount : amount.sparsity;
  if (!(share >= 0 && share <= 1)) {
    const name = typeof amount === 'number' ? 'amount' : 'amount.sparsity';
    throw new FrugalError(
      'BAD_OPTION',
      `${name} is a share in [0, 1], got ${share}. For a number of weights pass { count }.`,
    );
  }
  if (typeof amount === 'number') return roundHalfEven(share * left);
  return Math.max(0, roundHalfEven(share * total) - (total - left));
}
