import { defaultDevice, init, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';

type Layer = { w: np.Array; b: np.Array };
type Params = Layer[];

/** Starts jax-js's WebAssembly device; its own start needs `navigator`, which Node 20 lacks. */
export async function startJax(): Promise<void> {
  (globalThis as { navigator?: unknown }).navigator ??= { hardwareConcurrency: 1 };
  await init('wasm');
  defaultDevice('wasm');
}

const uniform = (size: number, scale: number): Float32Array<ArrayBuffer> =>
  Float32Array.from({ length: size }, () => (2 * Math.random() - 1) * scale);

/** A jitted SGD step of an MLP with ReLU and softmax cross-entropy, on one batch again and again. */
export function jaxMlpStep(
  sizes: readonly number[],
  x: Float32Array,
  labels: Int32Array,
  learningRate: number,
): () => Promise<number> {
  const batch = labels.length;
  const classes = sizes.at(-1)!;
  let params: Params = sizes.slice(1).map((out, i) => {
    const into = sizes[i]!;
    return {
      w: np.array(uniform(into * out, Math.sqrt(6 / into))).reshape([into, out]),
      b: np.zeros([out]),
    };
  });
  const onehot = new Float32Array(batch * classes);
  for (const [i, label] of labels.entries()) onehot[i * classes + label] = 1;
  const inputs = np.array(Float32Array.from(x)).reshape([batch, sizes[0]!]);
  const targets = np.array(onehot).reshape([batch, classes]);
  const loss = (p: Params, input: np.Array, target: np.Array): np.Array => {
    let h = input;
    for (const [i, { w, b }] of p.entries()) {
      h = np.matmul(h, w).add(b);
      if (i < p.length - 1) h = nn.relu(h);
    }
    return np.negative(np.sum(nn.logSoftmax(h).mul(target))).div(batch);
  };
  const step = jit((p: Params, input: np.Array, target: np.Array): [np.Array, Params] => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(p), input, target) as [np.Array, Params];
    return [
      value,
      p.map(({ w, b }, i) => ({ w: w.sub(grads[i]!.w.mul(learningRate)), b: b.sub(grads[i]!.b.mul(learningRate)) })),
    ];
  });
  return async () => {
    const [value, next] = step(params, inputs.ref, targets.ref) as [np.Array, Params];
    params = next;
    // The step is asynchronous by design; reading one weight waits for all of it.
    await next[0]!.b.ref.data();
    return ((await value.data()) as Float32Array)[0]!;
  };
}
