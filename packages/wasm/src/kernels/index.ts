import { binaryKernels } from './binary.ts';
import { convKernels } from './conv.ts';
import { einsumKernels } from './einsum.ts';
import { elementwiseKernels } from './elementwise.ts';
import { identityKernels } from './identity.ts';
import { matmulKernels } from './matmul.ts';
import { movementKernels } from './movement.ts';
import { normKernels } from './norm.ts';
import type { Registration } from './over.ts';
import { productKernels } from './products.ts';
import { randomKernels } from './random.ts';
import { reduceKernels } from './reduce.ts';
import { rowKernels } from './rows.ts';
import { segmentKernels } from './segments.ts';
import { softmaxKernels } from './softmax.ts';
import { stepKernels } from './steps.ts';
import { volumeKernels } from './volume.ts';
import { windowKernels } from './windows.ts';

/** Every kernel of ours, by subject. */
export const registrations: readonly Registration[] = [
  ...binaryKernels,
  ...einsumKernels,
  ...convKernels,
  ...elementwiseKernels,
  ...identityKernels,
  ...matmulKernels,
  ...movementKernels,
  ...normKernels,
  ...productKernels,
  ...randomKernels,
  ...reduceKernels,
  ...rowKernels,
  ...segmentKernels,
  ...softmaxKernels,
  ...stepKernels,
  ...windowKernels,
  ...volumeKernels,
];
