import { describeEachBackend, expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { treeDispose } from '../tree/index.ts';
import {
  decodeSafetensors,
  decodeSafetensorsStream,
  encodeSafetensors,
  encodeSafetensorsStream,
  openSafetensors,
} from './index.ts';

async function* cut(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size);
}

async function join(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of pieces) parts.push(Uint8Array.from(piece));
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function contents(tensors: Record<string, tf.Tensor>): Promise<unknown[]> {
  return Promise.all(
    Object.entries(tensors).map(async ([name, x]) => [name, x.dtype, x.shape, Array.from(await x.data<'float32'>())]),
  );
}

const make = (withComplex: boolean) => ({
  scale: tf.scalar(Math.fround(0.1)),
  blocks: [
    { w: tf.tensor2d([1, -2, Number.NaN, Number.POSITIVE_INFINITY, -0, 1e-45], [2, 3]) },
    { ids: tf.tensor1d([1, -2147483648, 2147483647], 'int32'), mask: tf.tensor1d([true, false, true], 'bool') },
  ],
  empty: tf.zeros([0, 4]),
  words: tf.tensor2d(['ala', 'ma', '', 'żółw 🐢'], [2, 2], 'string'),
  ...(withComplex && { z: tf.complex([1, 2, 3], [-1, 0.5, 7]) }),
});

describeEachBackend('safetensors', (backend) => {
  const complex = backend === 'cpu';

  it('round-trips every dtype of tfjs, with names, order, shapes and metadata', async () => {
    await expectNoLeak(async () => {
      const tree = make(complex);
      const bytes = await encodeSafetensors(tree, { metadata: { step: '7', 'ż"\n': 'x' } });
      const { tensors, metadata } = await decodeSafetensors(bytes);
      const flat: Record<string, tf.Tensor> = {
        scale: tree.scale,
        'blocks.0.w': tree.blocks[0]!.w!,
        'blocks.1.ids': tree.blocks[1]!.ids!,
        'blocks.1.mask': tree.blocks[1]!.mask!,
        empty: tree.empty,
        words: tree.words,
        ...(tree.z && { z: tree.z }),
      };
      expect(await contents(tensors)).toEqual(await contents(flat));
      expect(metadata).toEqual({ step: '7', 'ż"\n': 'x' });
      expect(await encodeSafetensors(flat, { metadata })).toEqual(bytes);
      treeDispose({ tree, tensors } as never);
    });
  });

  it('reads the same from bytes, a misaligned view, a Blob and streams of any cut', async () => {
    await expectNoLeak(async () => {
      const tree = make(complex);
      const bytes = await encodeSafetensors(tree);
      expect(await join(encodeSafetensorsStream(tree))).toEqual(bytes);
      const expected = await decodeSafetensors(bytes);
      const shifted = new Uint8Array(bytes.length + 1);
      shifted.set(bytes, 1);
      for (const source of [shifted.subarray(1), new Blob([bytes as Uint8Array<ArrayBuffer>])]) {
        const got = await decodeSafetensors(source);
        expect(await contents(got.tensors)).toEqual(await contents(expected.tensors));
        treeDispose(got.tensors);
      }
      for (const size of [1, 7, 64, 1 << 20]) {
        const tensors: Record<string, tf.Tensor> = {};
        let entries = 0;
        for await (const item of decodeSafetensorsStream(cut(bytes, size))) {
          if (item.kind === 'header') entries = item.header.entries.length;
          else tensors[item.name] = item.tensor;
        }
        expect(Object.keys(tensors)).toHaveLength(entries);
        const ordered = Object.fromEntries(Object.keys(expected.tensors).map((name) => [name, tensors[name]!]));
        expect(await contents(ordered)).toEqual(await contents(expected.tensors));
        treeDispose(tensors);
      }
      treeDispose({ tree, tensors: expected.tensors } as never);
    });
  });

  it('loads single tensors of an open file', async () => {
    await expectNoLeak(async () => {
      const tree = make(false);
      const file = await openSafetensors(await encodeSafetensors(tree));
      expect(file.entries.map(({ name, dtype }) => `${name}: ${dtype}`)).toEqual([
        'scale: F32',
        'blocks.0.w: F32',
        'blocks.1.ids: I32',
        'blocks.1.mask: BOOL',
        'empty: F32',
        'words: STRING',
      ]);
      const ids = await file.load('blocks.1.ids');
      expect(await contents({ ids })).toEqual(await contents({ ids: tree.blocks[1]!.ids! }));
      await expect(file.load('ids')).rejects.toThrow(/no tensor "ids"; it has "scale"/);
      treeDispose({ tree, ids } as never);
    });
  });

  it('stores narrower and wider dtypes on request', async () => {
    await expectNoLeak(async () => {
      const tree = { a: tf.tensor1d([1 / 3, 70_000, 2 ** -25]), b: tf.tensor1d([0, 255], 'int32') };
      const store = async (dtypes: Parameters<typeof encodeSafetensors>[1] & object) => {
        const bytes = await encodeSafetensors(tree, dtypes);
        const { tensors } = await decodeSafetensors(bytes);
        const kinds = (await openSafetensors(bytes)).entries.map(({ dtype }) => dtype);
        const values = (await contents(tensors)).map((entry) => (entry as unknown[])[3]);
        treeDispose(tensors);
        return [kinds, values];
      };
      const third = 0.333251953125;
      expect(await store({ dtypes: 'F16' })).toEqual([
        ['F16', 'I32'],
        [
          [third, Number.POSITIVE_INFINITY, 0],
          [0, 255],
        ],
      ]);
      expect(await store({ dtypes: { a: 'BF16', b: 'U8' } })).toEqual([
        ['BF16', 'U8'],
        [
          [0.333984375, 70_144, 2 ** -25],
          [0, 255],
        ],
      ]);
      expect(await store({ dtypes: (name) => (name === 'a' ? 'F64' : 'I64') })).toEqual([
        ['F64', 'I64'],
        [
          [Math.fround(1 / 3), 70_000, 2 ** -25],
          [0, 255],
        ],
      ]);
      await expect(store({ dtypes: { b: 'I8' } })).rejects.toThrow(/I8 cannot hold the value 255/);
      await expect(store({ dtypes: { b: 'F16' } })).rejects.toThrow(
        /"b" is int32 and cannot be written as F16; choose I64/,
      );
      await expect(store({ dtypes: { a: 'F8_E4M3' } })).rejects.toMatchObject({ code: 'SAFETENSORS_DTYPE' });
      treeDispose(tree);
    });
  });

  it('does not change with the bytes that it was read from', async () => {
    await expectNoLeak(async () => {
      const a = tf.tensor1d([1, 2]);
      const bytes = await encodeSafetensors({ a });
      const { tensors } = await decodeSafetensors(bytes);
      bytes.fill(0);
      expect(Array.from(await tensors.a!.data())).toEqual([1, 2]);
      treeDispose([a, tensors]);
    });
  });

  it('refuses names and metadata that cannot be written', async () => {
    await expectNoLeak(async () => {
      const a = tf.scalar(1);
      const proto = Object.fromEntries([['__proto__', a]]);
      await expect(encodeSafetensors(proto)).rejects.toMatchObject({ code: 'SAFETENSORS_NAME' });
      await expect(encodeSafetensors({ __metadata__: a })).rejects.toMatchObject({ code: 'SAFETENSORS_NAME' });
      await expect(encodeSafetensors({ 'x.y': a, x: { y: a } })).rejects.toMatchObject({
        code: 'SAFETENSORS_DUPLICATE',
      });
      await expect(encodeSafetensors({ '\ud800': a })).rejects.toMatchObject({ code: 'SAFETENSORS_NAME' });
      await expect(encodeSafetensors({ a }, { metadata: { n: 1 as never } })).rejects.toThrow(
        /metadata\["n"\] is number/,
      );
      a.dispose();
    });
  });
});
