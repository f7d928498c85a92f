import * as tf from '@tensorflow/tfjs-core';

/** Whether an interpreter stands before the engine: nothing may be left of it when it ends. */
export function isHooked(): boolean {
  const engine = tf.engine() as unknown as { runKernel: unknown };
  return engine.runKernel !== (Object.getPrototypeOf(engine) as { runKernel: unknown }).runKernel;
}
