import { type GradientTransformation, treeLeaves, treeUnflatten } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { checkNumber } from '../arguments.ts';
import { type Rate, toSchedule } from '../schedules/index.ts';
import { type Mask, selected } from './mask.ts';
import { identity } from './scale.ts';
import { type NoState, stateless, stepOf } from './support.ts';

/** Options of `addDecayedWeights`. */
export interface DecayOptions {
  /** The parameters that are decayed. Default: all; see `matricesOnly`. */
  mask?: Mask;
}

/** Adds decay · parameter to the updates of the selected parameters: decoupled decay where it stands after Adam. */
export function addDecayedWeights(decay: Rate, { mask }: DecayOptions = {}): GradientTransformation<NoState> {
  const at = toSchedule('weightDecay', decay);
  if (typeof decay === 'number') checkNumber('weightDecay', decay, { min: 0 });
  if (decay === 0) return identity();
  return stateless((updates, params, extra) => {
    const rate = at(stepOf(extra));
    const keep = selected(mask, params);
    const weights = treeLeaves(params);
    const leaves = (treeLeaves(updates) as tf.Tensor[]).map((u, i) =>
      keep[i] && rate !== 0 ? tf.tidy(() => tf.add(u, tf.mul(weights[i]!, rate))) : u.clone(),
    );
    return treeUnflatten(updates, leaves);
  });
}
