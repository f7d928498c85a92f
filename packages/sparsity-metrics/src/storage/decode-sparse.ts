import { decodeSafetensors, FrugalError, type Tree, treeDispose, treeFromEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { broken, codings } from './codings.ts';
import { type Entry, META, PLACES } from './format.ts';

/** Options of `decodeSparse`. */
export interface DecodeSparseOptions {
  /** The most elements that a tensor may have: a small file may claim a huge one. Default 2²⁸, one GiB. */
  maxElements?: number;
}

/** The tree of a file that `encodeSparse` wrote, and its other metadata. The caller owns the tensors. */
export interface DecodedSparse {
  tree: Tree;
  metadata: Record<string, string>;
}

/**
 * Reads a file of `encodeSparse`.
 *
 * @returns The tree by paths; with the model's own at hand, `treeRestore(like, treeEntries(tree))` gives its type.
 * @throws {FrugalError} `SPARSE_FILE` if the file was not written by `encodeSparse` or is broken; {SafetensorsError} if it is
 *   no safetensors file.
 */
export async function decodeSparse(
  source: Uint8Array | Blob,
  { maxElements = 2 ** 28 }: DecodeSparseOptions = {},
): Promise<DecodedSparse> {
  const { tensors, metadata } = await decodeSafetensors(source);
  const made: tf.Tensor[] = [];
  try {
    const { [META]: description, ...rest } = metadata;
    const entries = parse(description);
    const leaves: [string, tf.Tensor][] = [];
    for (const [path, stored] of Object.entries(tensors)) {
      if (path.endsWith(PLACES)) continue;
      const entry = entries.get(path);
      if (entry === undefined) {
        leaves.push([path, stored]);
        continue;
      }
      const size = sizeOf(path, entry, maxElements);
      const values = await unpack(path, entry, { stored, places: tensors[path + PLACES], size });
      const tensor = tf.tensor(values, entry.shape, 'float32');
      made.push(tensor);
      leaves.push([path, tensor]);
    }
    const tree = treeFromEntries(leaves);
    const given = new Set(leaves.map(([, leaf]) => leaf));
    tf.dispose(Object.values(tensors).filter((tensor) => !given.has(tensor)));
    return { tree, metadata: rest };
  } catch (error) {
    treeDispose([tensors, made]);
    throw error;
  }
}

function readJson(text: string): { version?: unknown; entries?: unknown } | null {
  try {
    return JSON.parse(text) as ReturnType<typeof readJson>;
  } catch {
    throw broken('its description is no JSON');
  }
}

function parse(description: string | undefined): Map<string, Entry> {
  const parsed = readJson(description ?? 'null');
  if (parsed === null) throw broken('it has no description; a dense file is read by decodeSafetensors');
  if (parsed.version !== 1) throw broken(`its version is ${JSON.stringify(parsed.version)}, known is 1`);
  if (typeof parsed.entries !== 'object' || parsed.entries === null) throw broken('its description has no entries');
  return new Map(Object.entries(parsed.entries as Record<string, Entry>));
}

function sizeOf(path: string, entry: Entry, maxElements: number): number {
  const { shape, coding, scale } = entry ?? {};
  const sizes = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= 0);
  const scaled = scale === undefined || (typeof scale === 'number' && Number.isFinite(scale));
  if (!sizes || !scaled || !(coding === 'dense' || Object.hasOwn(codings, coding))) {
    throw broken(`the entry of '${path}' is ${JSON.stringify(entry)}`);
  }
  const size = shape.reduce((product, one) => product * one, 1);
  if (size <= maxElements) return size;
  throw new FrugalError('SPARSE_FILE', `'${path}' has ${size} elements, more than maxElements (${maxElements}).`);
}

async function unpack(
  path: string,
  { coding, scale }: Entry,
  { stored, places, size }: { stored: tf.Tensor; places: tf.Tensor | undefined; size: number },
): Promise<Float32Array> {
  const raw = (await stored.data()) as Float32Array;
  const values = scale === undefined ? raw : Float32Array.from(raw, (level) => level * scale);
  if (coding === 'dense') {
    if (values.length !== size) throw broken(`'${path}' has ${values.length} values for ${size} elements`);
    return values;
  }
  if (places?.dtype !== 'int32') throw broken(`the places of '${path}' are missing`);
  const where = codings[coding].decode(Uint8Array.from((await places.data()) as Int32Array), size, values.length);
  const out = new Float32Array(size);
  for (let k = 0; k < where.length; k++) out[where[k]!] = values[k]!;
  return out;
}
