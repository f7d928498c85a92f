import { over, type Registration } from './over.ts';

/**
 * `Identity` that shares the data, as on every other backend; the stock one copies.
 *
 * The tape clones what it saves, so copies cost time and memory in every step.
 */
export const identityKernels: readonly Registration[] = [
  over(
    'Identity',
    (runtime) =>
      ({ inputs }) =>
        runtime.share(inputs['x']!),
  ),
];
