/** Bundlers take tfjs-core's modules, where the gradients are a module of their own. */
export async function registerGradients(): Promise<void> {
  await import('@tensorflow/tfjs-core/dist/register_all_gradients.js');
}
