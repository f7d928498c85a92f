export { crc32c, maskedCrc32c } from './crc32c.ts';
export { CheckpointError, type CheckpointFault } from './errors.ts';
export {
  type Checkpoint,
  type CheckpointInfo,
  type CheckpointParts,
  decodeCheckpoint,
  encodeCheckpoint,
  type Json,
} from './format.ts';
export { browserStore, indexedDbStore } from './indexed-db.ts';
export { opfsStore } from './opfs.ts';
export { type LoadCheckpointOptions, type LoadedCheckpoint, loadCheckpoint } from './resume.ts';
export { type CheckpointStore, memoryStore } from './store.ts';
