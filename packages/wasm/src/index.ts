export { HeapFullError, WasmUnavailableError, WorkerCrashError } from './errors.ts';
export { wasm } from './provider.ts';
export { restore, type TrainableOptions, type TrainableReport, trainable } from './trainable.ts';
