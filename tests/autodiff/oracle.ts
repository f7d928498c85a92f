// Runs in a process of its own, in which every Float32Array is a Float64Array: tfjs's cpu backend computes in doubles.
// Prints, for every case, the JVP in float64 and how far central differences are from it.
import { writeFileSync } from 'node:fs';

globalThis.Float32Array = Float64Array as unknown as Float32ArrayConstructor;

const tf = await import('@tensorflow/tfjs-core');
const { cpu, jvp, useBackend } = await import('@frugal/tensor');
const { cases, samplesOf, tensors } = await import('./samples.ts');
const { results } = await import('./program.ts');

type Tensor = import('@tensorflow/tfjs-core').Tensor;
type Sample = import('./samples.ts').Sample;

await useBackend(cpu());
// In Node, tfjs asks for real Float32Arrays.
tf.env().platform.isTypedArray = (a): a is Float32Array => ArrayBuffer.isView(a) && !(a instanceof DataView);
const probe = tf.tidy(() => tf.add(tf.scalar(1), tf.scalar(2 ** -40)));
if ((await probe.data())[0] === 1) throw new Error('The oracle does not compute in float64.');

async function read(out: readonly Tensor[]): Promise<number[]> {
  const lists = await Promise.all(
    out.map(async (t) => [...((await t.data()) as ArrayLike<number> & Iterable<number>)]),
  );
  tf.dispose([...out]);
  return lists.flat();
}

function shifted(sample: Sample, step: number): number[][] {
  return sample.primals.map((values, i) => values.map((x, j) => x + step * sample.tangents[i]![j]!));
}

async function at(sample: Sample, step: number): Promise<number[]> {
  return read(
    tf.tidy(() => {
      const out = results(sample.program, tensors(sample, shifted(sample, step)));
      return out.map((t) => tf.clone(t));
    }),
  );
}

async function examine(sample: Sample): Promise<{ tangent: number[]; error: number }> {
  const xs = tensors(sample, sample.primals);
  const vs = tensors(sample, sample.tangents);
  const [out, along] = jvp((...p: Tensor[]) => [...results(sample.program, p)], xs, vs);
  tf.dispose([xs, vs, out]);
  const tangent = await read(along);
  const h = 1e-6;
  const [after, before] = [await at(sample, h), await at(sample, -h)];
  const scale = 1 + Math.max(...tangent.map(Math.abs));
  const error = Math.max(0, ...tangent.map((t, i) => Math.abs(t - (after[i]! - before[i]!) / (2 * h)) / scale));
  return { tangent, error };
}

const count = Number(process.argv[2]);
const report: Record<string, { tangent: number[]; error: number }[]> = {};
for (const test of cases) {
  report[test.name] = [];
  for (const sample of samplesOf(test, count)) {
    try {
      report[test.name]!.push(await examine(sample));
    } catch (cause) {
      throw new Error(`${test.name}, ${sample.program.label}`, { cause });
    }
  }
}
writeFileSync(process.argv[3]!, JSON.stringify(report));
