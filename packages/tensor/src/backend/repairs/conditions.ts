import * as tf from '@tensorflow/tfjs-core';

/** Piecewise constant, with results that may be a condition: `where(x > 0, …)` throws in stock tfjs. */
const constant = [
  'All',
  'Any',
  'Equal',
  'Greater',
  'Less',
  'LessEqual',
  'LogicalAnd',
  'LogicalNot',
  'LogicalOr',
  'NotEqual',
];

const names: Readonly<Record<string, readonly string[]>> = { All: ['x'], Any: ['x'], LogicalNot: ['x'] };

function zero(kernelName: string): tf.GradConfig {
  const inputs = names[kernelName] ?? ['a', 'b'];
  return {
    kernelName,
    inputsToSave: [...inputs],
    gradFunc: (_dy, saved) =>
      Object.fromEntries(inputs.map((name, i) => [name, () => tf.zeros((saved as tf.Tensor[])[i]!.shape)])),
  };
}

/** Zero gradients of comparisons and logic; and of `floorDiv`, which stock differentiates as if it were `div`. */
export const conditionRepairs = (): tf.GradConfig[] => [...constant, 'FloorDiv'].map(zero);
