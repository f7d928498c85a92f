export { cpu } from './cpu.ts';
export { ensureGradients } from './gradients.ts';
export { paddedSize, prefersStaticShapes } from './static-shapes.ts';
export { describeBackends, NoBackendError, useBackend } from './use-backend.ts';
export { type WebGlOptions, webgl } from './webgl.ts';
