/** In Node, tfjs-core loads as CommonJS without gradients; tfjs-layers brings and registers them. */
export async function registerGradients(): Promise<void> {
  await import('@tensorflow/tfjs-layers');
}
