import type { GradientTransformation, Tree } from '@frugal/tensor';
import { type Rate, toSchedule } from '../schedules/index.ts';
import { stepOf } from './support.ts';

/**
 * Makes any numeric hyperparameter of an optimizer a schedule, not only its learning rate.
 *
 * ```
 * injectHyperparams((h) => adamw(h.rate, { beta1: h.beta1 }), { rate: cosine(1e-3, { steps }), beta1: linear(0.85, 0.95, { steps }) })
 * ```
 *
 * `make` is called at every step with the values of that step. It must return the same kind of transformation each
 * time: only numbers may change, not what the state looks like.
 */
export function injectHyperparams<S extends Tree, K extends string>(
  make: (values: Record<K, number>) => GradientTransformation<S>,
  rates: Readonly<Record<K, Rate>>,
): GradientTransformation<S> {
  const schedules = Object.entries<Rate>(rates).map(([name, rate]) => [name, toSchedule(name, rate)] as const);
  const values = (step: number) =>
    Object.fromEntries(schedules.map(([name, at]) => [name, at(step)])) as Record<K, number>;
  const first = make(values(0));
  return {
    init: (params) => first.init(params),
    update: (grads, state, params, extra) => make(values(stepOf(extra))).update(grads, state, params, extra),
    ...(first.step === undefined
      ? {}
      : { step: (grads, state, params, extra) => make(values(stepOf(extra))).step!(grads, state, params, extra) }),
    ...(first.evaluationParams === undefined
      ? {}
      : { evaluationParams: (state, params) => first.evaluationParams!(state, params) }),
    ...(first.accepts === undefined ? {} : { accepts: first.accepts }),
    hyperparams: values,
  };
}
