import type { Tensor } from '@tensorflow/tfjs-core';
import type { Tree } from '../seams/index.ts';
import { treeDispose } from '../tree/index.ts';
import { jvp } from './jvp.ts';
import type { TangentTree } from './seeds.ts';
import { valueAndGrad } from './value-and-grad.ts';

/**
 * A Hessian-vector product, ∇²f(params) · v, by forward over reverse: right where nested `tf.grads` throws or lies.
 *
 * Costs about 2.5 gradients. For many vectors at one point, linearize the gradient.
 *
 * @param f From a tree of float32 tensors to a scalar.
 * @param params Where.
 * @param v In the structure of `params`; null for zero.
 * @returns In the structure of `params`; the caller owns it.
 * @throws As `jvp` and `valueAndGrad`.
 */
export function hvp<P extends Tree>(f: (params: P) => Tensor, params: P, v: TangentTree): P {
  const gradient = valueAndGrad(f);
  const [out, product] = jvp(
    (p: P) => {
      const [value, grads] = gradient(p);
      value.dispose();
      return grads;
    },
    [params],
    [v],
  );
  treeDispose(out);
  return product;
}
