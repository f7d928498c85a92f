import { checkNumber } from './check.ts';
import type { DispatchPlan } from './plan.ts';

/**
 * Moves the selection bias of each expert after a step: − rate where it had more than its share, + rate where less.
 *
 * Balancing without a loss, hence without its gradient (arXiv 2408.15664; DeepSeek-V3: rate 0.001, sigmoid scores). The
 * bias is plain data: keep it beside the optimizer's state, pass it to `route`.
 *
 * @param bias [experts]; start with zeros.
 * @param plan Of the step that was taken.
 * @param rate Step of the bias, in units of a score. Default 1e-3.
 * @returns The next bias; the given one is not changed.
 */
export function balanceBias(bias: Float32Array, plan: DispatchPlan, rate = 1e-3): Float32Array {
  checkNumber('rate', rate, { min: 0 });
  checkNumber('bias.length', bias.length, { min: plan.experts, max: plan.experts });
  const counts = new Float64Array(plan.experts);
  for (const slot of plan.chosen) counts[slot % plan.experts]!++;
  const fair = plan.chosen.length / plan.experts;
  return bias.map((value, e) => value - rate * Math.sign(counts[e]! - fair));
}
