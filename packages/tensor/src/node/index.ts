export { trackAsyncInterpreters } from './async-interpreters.ts';
export { loadSafetensors, saveSafetensors, withSafetensors, writeFileAtomic } from './files.ts';
