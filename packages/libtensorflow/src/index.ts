export { type TensorflowOptions, tensorflow } from './backend/provider.ts';
export { type Installation, listInstallations, type Manifest } from './cache/installation.ts';
export { LibtensorflowError, type LibtensorflowFault } from './errors.ts';
export { type LoadOptions, load, type TfjsNodeModule } from './load/load.ts';
