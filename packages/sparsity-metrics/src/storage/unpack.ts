import { decodeSafetensors, FrugalError, type Tree, treeDispose, treeFromEntries } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { broken, codings } from './codings.ts';
import { type Entry, PLACES } from './format.ts';

interface Description {
  readonly base: unknown;
  readonly entries: Map<string, Entry>;
}

/** How to read a file. */
export interface Reading {
  /** The metadata entry that describes it. */
  readonly kind: string;
  readonly maxElements: number;
  /** Refuses a file that belongs to something else. */
  readonly check?: (base: unknown) => void;
  /** What values are put onto: a tensor's in the base, or nothing for zeros. */
  readonly ground: (path: string, shape: readonly number[]) => Promise<Float32Array> | undefined;
}

/** Reads a file of `writeParts`. The caller owns the tensors. */
export async function readParts(
  source: Uint8Array | Blob,
  { kind, maxElements, check, ground }: Reading,
): Promise<{ tree: Tree; metadata: Record<string, string> }> {
  const { tensors, metadata } = await decodeSafetensors(source);
  const made: tf.Tensor[] = [];
  try {
    const { [kind]: description, ...rest } = metadata;
    const { base, entries } = parse(description);
    check?.(base);
    const leaves: [string, tf.Tensor][] = [];
    let room = maxElements;
    for (const [path, stored] of Object.entries(tensors)) {
      if (path.endsWith(PLACES)) continue;
      const entry = entries.get(path);
      if (entry === undefined) {
        leaves.push([path, stored]);
        continue;
      }
      const size = sizeOf(path, entry, room);
      room -= size;
      const under = (await ground(path, entry.shape)) ?? new Float32Array(size);
      const values = await unpack(path, entry, { stored, places: tensors[path + PLACES], ground: under });
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

function readJson(text: string): { version?: unknown; entries?: unknown; base?: unknown } | null {
  try {
    return JSON.parse(text) as ReturnType<typeof readJson>;
  } catch {
    throw broken('its description is no JSON');
  }
}

function parse(description: string | undefined): Description {
  const parsed = readJson(description ?? 'null');
  if (parsed === null) throw broken('it has no description; a dense file is read by decodeSafetensors');
  if (parsed.version !== 1) throw broken(`its version is ${JSON.stringify(parsed.version)}, known is 1`);
  if (typeof parsed.entries !== 'object' || parsed.entries === null) throw broken('its description has no entries');
  return { base: parsed.base, entries: new Map(Object.entries(parsed.entries as Record<string, Entry>)) };
}

function sizeOf(path: string, entry: Entry, room: number): number {
  const { shape, coding, scale } = entry ?? {};
  const sizes = Array.isArray(shape) && shape.every((size) => Number.isInteger(size) && size >= 0);
  const scaled = scale === undefined || (typeof scale === 'number' && Number.isFinite(scale));
  if (!sizes || !scaled || !(coding === 'dense' || Object.hasOwn(codings, coding))) {
    throw broken(`the entry of '${path}' is ${JSON.stringify(entry)}`);
  }
  const size = shape.reduce((product, one) => product * one, 1);
  if (size <= room) return size;
  throw new FrugalError('SPARSE_FILE', `'${path}' has ${size} elements, and maxElements leaves room for ${room}.`);
}

async function unpack(
  path: string,
  { coding, scale }: Entry,
  { stored, places, ground }: { stored: tf.Tensor; places: tf.Tensor | undefined; ground: Float32Array },
): Promise<Float32Array> {
  const size = ground.length;
  const raw = (await stored.data()) as Float32Array;
  const values = scale === undefined ? raw : Float32Array.from(raw, (level) => level * scale);
  if (coding === 'dense') {
    if (values.length !== size) throw broken(`'${path}' has ${values.length} values for ${size} elements`);
    return scale === undefined ? values : values.map((value, i) => ground[i]! + value);
  }
  if (places?.dtype !== 'int32') throw broken(`the places of '${path}' are missing`);
  const where = codings[coding].decode(Uint8Array.from((await places.data()) as Int32Array), size, values.length);
  const out = ground.slice();
  // What has a scale is a difference; anything else is kept to the bit, −0 too.
  for (const [k, place] of where.entries()) out[place] = scale === undefined ? values[k]! : ground[place]! + values[k]!;
  return out;
}
