import { gatherRows } from '@frugal/tensor';
import type * as tf from '@tensorflow/tfjs-core';
import type { Experts, ExpertsParams } from './experts.ts';
import type { DispatchPlan } from './plan.ts';
import { combine } from './sparse-experts.ts';

/**
 * The experts over equal shares of one buffer [experts · rowsPerExpert, dim]: no shape of a product depends on the choice.
 *
 * Token 0 fills up, and what comes of it is dropped; experts that were not chosen are read.
 */
export function paddedExperts(
  experts: Experts,
  params: ExpertsParams,
  x: tf.Tensor,
  plan: DispatchPlan,
  gates: Float32Array | tf.Tensor | undefined,
): tf.Tensor {
  const each = plan.rowsPerExpert!;
  const input = new Int32Array(experts.count * each);
  const places = new Int32Array(plan.rows.length);
  let start = 0;
  for (const [e, end] of plan.ends.entries()) {
    for (let i = start; i < end; i++) {
      places[i] = e * each + i - start;
      input[places[i]!] = plan.rows[i]!;
    }
    start = end;
  }
  const ends = plan.ends.map((_, e) => (e + 1) * each);
  const output = experts.apply(params, gatherRows(x, input), { tokens: input.length, ends });
  return combine(gatherRows(output, places), plan, gates);
}
