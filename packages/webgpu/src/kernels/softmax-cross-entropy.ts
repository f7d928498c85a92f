import { KernelName } from '@frugal/tensor';
import { dispatch } from './dispatch.ts';
import { expectFloat, over, type Registration } from './over.ts';
import { reduction, workgroupFor } from './reduce.ts';

/** A workgroup per example: the largest logit, the sum of exponentials, then loss and gradient in the same pass. */
export const softmaxCrossEntropyKernels: readonly Registration[] = [
  over(KernelName.SoftmaxCrossEntropy, () => ({ inputs, backend }) => {
    const [logits, labels] = [inputs['logits']!, inputs['labels']!];
    expectFloat(KernelName.SoftmaxCrossEntropy, logits);
    const [batch, classes] = logits.shape as [number, number];
    const loss = backend.makeTensorInfo([batch], 'float32');
    const gradient = backend.makeTensorInfo([batch, classes], 'float32');
    const size = workgroupFor(classes);
    dispatch(backend, {
      key: `frugal ${KernelName.SoftmaxCrossEntropy}`,
      code: () => `${reduction(size, ['max', 'sum'])}
fn main(id: Ids) {
  let row = groupIndex(id);
  let inside = row < u.batch;
  let at = select(0u, row * u.classes, inside);
  var top = -3.4028234e38;
  for (var c = id.local; c < u.classes; c += ${size}u) { top = max(top, logits[at + c]); }
  top = reduce_max(top, id.local);
  var total = 0.0;
  for (var c = id.local; c < u.classes; c += ${size}u) { total += exp(logits[at + c] - top); }
  total = reduce_sum(total, id.local);
  if (!inside) { return; }
  let label = u32(labels[row]);
  for (var c = id.local; c < u.classes; c += ${size}u) {
    gradient[at + c] = exp(logits[at + c] - top) / total - select(0.0, 1.0, c == label);
  }
  if (id.local == 0u) { loss[row] = log(total) - (logits[at + label] - top); }
}`,
      writes: { loss, gradient },
      reads: { logits, labels },
      uniforms: [
        ['batch', 'u32', batch],
        ['classes', 'u32', classes],
      ],
      workgroups: batch,
      workgroupSize: size,
    });
    return [loss, gradient];
  }),
];
