import { identityKernels } from './identity.ts';
import { matmulKernels } from './matmul.ts';
import type { Registration } from './over.ts';

/** Every kernel of ours, by subject. */
export const registrations: readonly Registration[] = [...identityKernels, ...matmulKernels];
