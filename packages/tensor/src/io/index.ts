export {
  type Decoded,
  type DecodeOptions,
  decodeSafetensors,
  openSafetensors,
  type RandomAccess,
  type SafetensorsFile,
} from './decode.ts';
export { decodeSafetensorsStream, type StreamItem } from './decode-stream.ts';
export type { SafetensorsDtype } from './dtypes.ts';
export { type EncodeOptions, encodeSafetensors, encodeSafetensorsStream } from './encode.ts';
export { SafetensorsError, type SafetensorsFault } from './errors.ts';
export type { SafetensorsEntry, SafetensorsHeader } from './header.ts';
