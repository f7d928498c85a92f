import type { Event } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { flatten } from '../curvature/vectors.ts';
import { checkNumber } from '../errors.ts';
import { isDue, type TrackedRun, type Tracker } from './hook.ts';

/** Where the weights of a run are. */
export interface WeightsPoint {
  readonly step: number;
  /** |w − w₀| / |w₀|. */
  readonly distance: number;
  /** Cosine between what the weights moved since the last look and before it; undefined at first. */
  readonly direction: number | undefined;
  /** Cosine of w and w₀. */
  readonly overlap: number;
}

/** Follows how far and in which direction the weights go from the first look on (arXiv 2002.10365). */
export function trackWeights(
  options: { readonly every?: number } = {},
): Tracker & { readonly points: readonly WeightsPoint[]; dispose(): void } {
  const { every = 10 } = options;
  checkNumber('every', every, { min: 1, integer: true });
  const points: WeightsPoint[] = [];
  let [origin, last, moved]: (tf.Tensor1D | undefined)[] = [];
  return {
    name: 'weights',
    points,
    async onEvent(event: Event, run: TrackedRun) {
      if (!isDue(event, every)) return;
      const now = flatten(run.params);
      origin ??= now.clone();
      const step = tf.sub(now, last ?? origin) as tf.Tensor1D;
      const numbers = tf.tidy(() => {
        const away = tf.norm(tf.sub(now, origin!));
        const along = moved === undefined ? tf.scalar(Number.NaN) : cosine(step, moved);
        return tf.stack([tf.div(away, tf.norm(origin!)), along, cosine(now, origin!)]);
      });
      const [distance, direction, overlap] = await numbers.data();
      tf.dispose([numbers, last ?? [], moved ?? []]);
      [last, moved] = [now, points.length === 0 ? undefined : step];
      if (moved === undefined) step.dispose();
      points.push({
        step: event.step,
        distance: distance!,
        direction: Number.isNaN(direction!) ? undefined : direction!,
        overlap: overlap!,
      });
    },
    dispose() {
      tf.dispose([origin ?? [], last ?? [], moved ?? []]);
      [origin, last, moved] = [undefined, undefined, undefined];
    },
  };
}

function cosine(a: tf.Tensor1D, b: tf.Tensor1D): tf.Tensor {
  return tf.div(tf.dot(a, b), tf.mul(tf.norm(a), tf.norm(b)));
}
