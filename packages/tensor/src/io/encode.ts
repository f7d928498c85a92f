import type { Tensor } from '@tensorflow/tfjs-core';
import type { Tree } from '../seams/index.ts';
import { treeEntries } from '../tree/index.ts';
import { codecs, defaultDtype, type SafetensorsDtype, type Values } from './dtypes.ts';
import { SafetensorsError } from './errors.ts';
import { checkName, formatHeader, type SafetensorsEntry } from './header.ts';
import { quote } from './json.ts';
import { packStrings, STRING_PREFIX } from './strings.ts';

/** How tensors are written. */
export interface EncodeOptions {
  /** Free text entries, e.g. the version of a format. */
  metadata?: Readonly<Record<string, string>>;
  /**
   * The dtype to store: one for every float32 tensor, one by name, or a function of the tensor; tfjs's own where undefined.
   *
   * `F16` and `BF16` round to nearest even. Integers that do not fit throw.
   */
  dtypes?:
    | SafetensorsDtype
    | Readonly<Record<string, SafetensorsDtype>>
    | ((name: string, tensor: Tensor) => SafetensorsDtype | undefined);
}

interface Planned extends SafetensorsEntry {
  readonly dtype: SafetensorsDtype;
  readonly tensor: Tensor;
  /** Strings, whose length has to be known for the header. */
  readonly packed?: Uint8Array;
}

function chooseDtype(name: string, tensor: Tensor, wanted: EncodeOptions['dtypes']): SafetensorsDtype {
  const own = defaultDtype[tensor.dtype];
  const fallback = typeof wanted === 'string' && tensor.dtype === 'float32' ? wanted : undefined;
  const asked =
    typeof wanted === 'function' ? wanted(name, tensor) : typeof wanted === 'object' ? wanted[name] : fallback;
  const dtype = asked ?? own;
  const codec = Object.hasOwn(codecs, dtype) ? codecs[dtype] : undefined;
  if (dtype !== own && (codec?.write === undefined || codec.dtype !== tensor.dtype)) {
    const possible = Object.entries(codecs).filter(
      ([, { dtype, write }]) => write !== undefined && dtype === tensor.dtype,
    );
    const message = `${quote(name)} is ${tensor.dtype} and cannot be written as ${dtype}; choose ${possible.map(([d]) => d).join(', ') || own}.`;
    throw new SafetensorsError('SAFETENSORS_DTYPE', message);
  }
  return dtype;
}

function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(metadata)) {
    checkName(key, 'metadata entry');
    if (typeof value !== 'string') {
      const message = `metadata[${quote(key)}] is ${typeof value}; the format has only strings. Write it as one.`;
      throw new SafetensorsError('SAFETENSORS_HEADER', message);
    }
  }
}

async function plan(
  tree: Tree,
  options: EncodeOptions,
): Promise<{ header: Uint8Array; size: number; order: Planned[] }> {
  const metadata = { ...options.metadata };
  checkMetadata(metadata);
  const names = new Set<string>();
  const chosen: { name: string; tensor: Tensor; dtype: SafetensorsDtype; bytes: number; packed?: Uint8Array }[] = [];
  for (const [name, tensor] of treeEntries(tree)) {
    checkName(name, 'tensor');
    if (names.has(name)) throw new SafetensorsError('SAFETENSORS_DUPLICATE', `Two tensors are called ${quote(name)}.`);
    names.add(name);
    const dtype = chooseDtype(name, tensor, options.dtypes);
    if (tensor.dtype === 'string') {
      const packed = packStrings((await tensor.bytes()) as Uint8Array[]);
      metadata[STRING_PREFIX + name] = JSON.stringify(tensor.shape);
      chosen.push({ name, tensor, dtype, bytes: packed.length, packed });
    } else chosen.push({ name, tensor, dtype, bytes: tensor.size * codecs[dtype].size });
  }
  // Wide elements first, as the reference does, so that every tensor stands at a multiple of its element's size.
  const order: Planned[] = [];
  let at = 0;
  for (const { name, tensor, dtype, bytes, packed } of chosen.toSorted(
    (a, b) => codecs[b.dtype].size - codecs[a.dtype].size,
  )) {
    const shape = packed === undefined ? tensor.shape : [bytes];
    order.push({ name, dtype, shape, start: at, end: at + bytes, tensor, ...(packed && { packed }) });
    at += bytes;
  }
  const byName = new Map(order.map((entry) => [entry.name, entry]));
  const header = formatHeader(
    chosen.map(({ name }) => byName.get(name)!),
    metadata,
  );
  return { header, size: header.length + at, order };
}

async function contents({ tensor, dtype, packed }: Planned): Promise<Uint8Array> {
  if (packed !== undefined) return packed;
  const view = codecs[dtype].write!((await tensor.data()) as Values);
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/**
 * Writes tensors as the pieces of a safetensors file, one tensor in memory at a time.
 *
 * The tensors must stay as they are until the last piece is taken. Pieces are not to be written to: they may be a backend's memory.
 *
 * @param tensors Tensors by name, or any tree: `{blocks: [{w}]}` is written as `'blocks.0.w'`.
 * @throws {SafetensorsError} Before the first piece, except for values that the asked dtype cannot hold.
 */
export async function* encodeSafetensorsStream(tensors: Tree, options: EncodeOptions = {}): AsyncGenerator<Uint8Array> {
  const { header, order } = await plan(tensors, options);
  yield header;
  for (const entry of order) {
    const bytes = await contents(entry);
    if (bytes.length > 0) yield bytes;
  }
}

/**
 * Writes tensors as one safetensors file. All dtypes of tfjs; the header keeps the order of the tree.
 *
 * @param tensors Tensors by name, or any tree: `{blocks: [{w}]}` is written as `'blocks.0.w'`.
 * @returns The bytes of the file. Equal tensors, names and options give equal bytes.
 * @throws {SafetensorsError} For a name or dtype that cannot be written.
 */
export async function encodeSafetensors(tensors: Tree, options: EncodeOptions = {}): Promise<Uint8Array> {
  const { header, size, order } = await plan(tensors, options);
  const out = new Uint8Array(size);
  out.set(header);
  for (const entry of order) out.set(await contents(entry), header.length + entry.start);
  return out;
}
