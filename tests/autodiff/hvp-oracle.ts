// Runs in a process of its own, in which every Float32Array is a Float64Array: see oracle.ts.
// Prints, for every net, the Hessian-vector product in float64 and how far central differences of gradients are from it.
import { writeFileSync } from 'node:fs';

globalThis.Float32Array = Float64Array as unknown as Float32ArrayConstructor;

const tf = await import('@tensorflow/tfjs-core');
const { cpu, hvp, useBackend, valueAndGrad } = await import('@frugal/tensor');
const { makeData, makeParams, nets } = await import('./nets.ts');

type Tensor = import('@tensorflow/tfjs-core').Tensor;
type Params = Record<string, Tensor>;

await useBackend(cpu());
tf.env().platform.isTypedArray = (a): a is Float32Array => ArrayBuffer.isView(a) && !(a instanceof DataView);
const probe = tf.tidy(() => tf.add(tf.scalar(1), tf.scalar(2 ** -40)));
if ((await probe.data())[0] === 1) throw new Error('The oracle does not compute in float64.');

const read = async (tree: Params): Promise<number[]> =>
  (await Promise.all(Object.values(tree).map(async (t) => [...((await t.data()) as Float32Array)]))).flat();

const report: Record<string, { product: number[]; error: number }> = {};
for (const [name, net] of Object.entries(nets)) {
  const [data, params, v] = [makeData(), makeParams(net, 1), makeParams(net, 2)];
  const loss = (p: Params): Tensor => net.loss(p, data);
  const gradientAt = async (step: number): Promise<number[]> => {
    const moved = Object.fromEntries(Object.keys(params).map((k) => [k, tf.add(params[k]!, tf.mul(v[k]!, step))]));
    return read(valueAndGrad(loss)(moved)[1]);
  };
  const product = await read(hvp(loss, params, v));
  const h = 1e-7; // small: relu and max-pooling have kinks
  const [after, before] = [await gradientAt(h), await gradientAt(-h)];
  const scale = Math.max(...product.map(Math.abs));
  const error = Math.max(...product.map((x, i) => Math.abs(x - (after[i]! - before[i]!) / (2 * h)))) / scale;
  report[name] = { product, error };
}
writeFileSync(process.argv[2]!, JSON.stringify(report));
