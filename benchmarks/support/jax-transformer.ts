import { jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';

/** A pre-norm transformer over [batch, tokens, inputs]; gives classes per token if causal, else for the tokens' mean. */
export interface Blocks {
  readonly batch: number;
  readonly tokens: number;
  readonly inputs: number;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly classes: number;
  readonly causal: boolean;
}

type Dense = { w: np.Array; b: np.Array };
type Block = { norm1: Dense; qkv: Dense; out: Dense; norm2: Dense; up: Dense; down: Dense };
type Params = { embed: Dense; position: np.Array; blocks: Block[]; norm: Dense; head: Dense };

const normal = (shape: number[], scale: number): np.Array => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from(
    { length: size },
    () => (Math.random() + Math.random() + Math.random() - 1.5) * 2 * scale,
  );
  return np.array(values).reshape(shape);
};
const dense = (into: number, out: number): Dense => ({ w: normal([into, out], 0.05), b: np.zeros([out]) });
const affine = (dim: number): Dense => ({ w: np.ones([dim]), b: np.zeros([dim]) });
const apply = (x: np.Array, { w, b }: Dense): np.Array => np.matmul(x, w).add(b);
const norm = (x: np.Array, { w, b }: Dense): np.Array => nn.standardize(x, -1, { epsilon: 1e-5 }).mul(w).add(b);

/** Written out: jax-js's own attention needs an einsum that throws on Node 20. */
function attention(x: np.Array, { qkv, out }: Pick<Block, 'qkv' | 'out'>, bias: np.Array, shape: Blocks): np.Array {
  const { batch, tokens, dim, heads } = shape;
  const size = dim / heads;
  const parts = np.split(apply(x, qkv), 3, -1).map((part) => part.reshape([batch, tokens, heads, size]));
  const q = np.transpose(parts[0]!, [0, 2, 1, 3]);
  const k = np.transpose(parts[1]!, [0, 2, 3, 1]);
  const v = np.transpose(parts[2]!, [0, 2, 1, 3]);
  const weights = nn.softmax(
    np
      .matmul(q, k)
      .mul(1 / Math.sqrt(size))
      .add(bias),
    -1,
  );
  const mixed = np.transpose(np.matmul(weights, v), [0, 2, 1, 3]);
  return apply(mixed.reshape([batch, tokens, dim]), out);
}

/** 0 where a token may look, −10⁹ where it may not. */
function maskOf({ tokens, causal }: Blocks): np.Array {
  const values = Float32Array.from({ length: tokens * tokens }, (_, i) =>
    causal && i % tokens > Math.floor(i / tokens) ? -1e9 : 0,
  );
  return np.array(values).reshape([tokens, tokens]);
}

function logits(p: Params, x: np.Array, bias: np.Array, shape: Blocks): np.Array {
  let h = apply(x, p.embed).add(p.position);
  for (const block of p.blocks) {
    h = h.ref.add(attention(norm(h, block.norm1), block, bias.ref, shape));
    h = h.ref.add(apply(nn.gelu(apply(norm(h, block.norm2), block.up)), block.down));
  }
  bias.dispose();
  const y = norm(h, p.norm);
  return apply(shape.causal ? y : np.mean(y, 1), p.head);
}

const zeros = (params: Params): Params =>
  tree.map((leaf: np.Array) => np.zeros(leaf.shape), params) as unknown as Params;

/** A jitted Adam step of it on one batch again and again; ids enter as one-hot rows. */
export async function jaxTransformerStep(shape: Blocks): Promise<() => Promise<number>> {
  const { batch, tokens, inputs, dim, depth, classes, causal } = shape;
  let params: Params = {
    embed: dense(inputs, dim),
    position: normal([tokens, dim], 0.02),
    blocks: Array.from({ length: depth }, () => ({
      norm1: affine(dim),
      qkv: dense(dim, 3 * dim),
      out: dense(dim, dim),
      norm2: affine(dim),
      up: dense(dim, 4 * dim),
      down: dense(4 * dim, dim),
    })),
    norm: affine(dim),
    head: dense(dim, classes),
  };
  let [m, v] = [zeros(tree.ref(params)), zeros(tree.ref(params))];
  const rows = causal ? batch * tokens : batch;
  const onehot = (count: number, width: number): Float32Array<ArrayBuffer> => {
    const values = new Float32Array(count * width);
    for (let i = 0; i < count; i++) values[i * width + ((i * 7) % width)] = 1;
    return values;
  };
  const x = causal
    ? np.array(onehot(batch * tokens, inputs)).reshape([batch, tokens, inputs])
    : normal([batch, tokens, inputs], 0.5);
  const y = np.array(onehot(rows, classes)).reshape(causal ? [batch, tokens, classes] : [batch, classes]);
  const mask = maskOf(shape);
  const loss = (p: Params, input: np.Array, target: np.Array, bias: np.Array): np.Array =>
    np.negative(np.sum(nn.logSoftmax(logits(p, input, bias, shape)).mul(target))).div(rows);
  // Adam without bias correction: the same work.
  const step = jit(
    (
      p: Params,
      m: Params,
      v: Params,
      input: np.Array,
      target: np.Array,
      bias: np.Array,
    ): [np.Array, Params, Params, Params] => {
      const [value, grads] = valueAndGrad(loss)(tree.ref(p), input, target, bias) as [np.Array, Params];
      const first = tree.map(
        (a: np.Array, g: np.Array) => a.mul(0.9).add(g.mul(0.1)),
        m,
        tree.ref(grads),
      ) as unknown as Params;
      const second = tree.map(
        (a: np.Array, g: np.Array) => a.mul(0.999).add(np.square(g).mul(1e-3)),
        v,
        grads,
      ) as unknown as Params;
      const next = tree.map(
        (w: np.Array, a: np.Array, b: np.Array) => w.sub(a.div(np.sqrt(b).add(1e-8)).mul(1e-3)),
        p,
        tree.ref(first),
        tree.ref(second),
      ) as unknown as Params;
      return [value, next, first, second];
    },
  );
  return async () => {
    const [value, ...state] = step(params, m, v, x.ref, y.ref, mask.ref) as [np.Array, Params, Params, Params];
    [params, m, v] = state;
    await params.norm.b.ref.data();
    return ((await value.data()) as Float32Array)[0]!;
  };
}
