import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu, useBackend } from '@frugal/tensor';
import { expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeSafetensors } from '../io/index.ts';
import { treeDispose } from '../tree/index.ts';
import { loadSafetensors, saveSafetensors, withSafetensors, writeFileAtomic } from './files.ts';

let folder = '';
beforeAll(async () => {
  await useBackend(cpu());
  folder = await mkdtemp(join(tmpdir(), 'frugal-'));
});
afterAll(() => rm(folder, { recursive: true }));

const make = () => ({ w: tf.tensor2d([1.5, -2, 3, 1e-8], [2, 2]), ids: tf.tensor1d([7, -7], 'int32') });

it('writes and reads files, whole and tensor by tensor', async () => {
  await expectNoLeak(async () => {
    const path = join(folder, 'a.safetensors');
    const tree = make();
    await saveSafetensors(path, tree, { metadata: { step: '3' } });
    expect(new Uint8Array(await readFile(path))).toEqual(await encodeSafetensors(tree, { metadata: { step: '3' } }));
    const { tensors, metadata } = await loadSafetensors(path);
    expect(metadata).toEqual({ step: '3' });
    expect(await tensors.w!.data()).toEqual(await tree.w.data());
    const ids = await withSafetensors(path, (file) => file.load('ids'));
    expect(await ids.data()).toEqual(await tree.ids.data());
    treeDispose([tree, tensors, ids]);
  });
});

it('leaves the old file and no other when writing fails', async () => {
  const path = join(folder, 'b.safetensors');
  await writeFile(path, 'old');
  const before = await readdir(folder);
  const tree = make();
  await expect(saveSafetensors(path, tree, { dtypes: { ids: 'U8' } })).rejects.toThrow(/U8 cannot hold the value -7/);
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(10);
    throw new Error('no more');
  }
  await expect(writeFileAtomic(path, failing())).rejects.toThrow('no more');
  expect(await readFile(path, 'utf8')).toBe('old');
  expect(await readdir(folder)).toEqual(before);
  treeDispose(tree);
});

it('says that a file is truncated', async () => {
  const path = join(folder, 'c.safetensors');
  const tree = make();
  const bytes = await encodeSafetensors(tree);
  await writeFile(path, bytes.subarray(0, bytes.length - 1));
  await expect(loadSafetensors(path)).rejects.toMatchObject({ code: 'SAFETENSORS_LENGTH' });
  treeDispose(tree);
});

const python = process.env.FRUGAL_PYTHON ?? 'python3';
const run = (code: string, ...args: string[]) => spawnSync(python, ['-c', code, ...args], { encoding: 'utf8' });
const hasSafetensors = run('import safetensors, numpy').status === 0;
if (!hasSafetensors && (process.env.FRUGAL_REQUIRE ?? '').split(',').includes('python')) {
  throw new Error(`${python} has no packages safetensors and numpy, and FRUGAL_REQUIRE asks for them.`);
}
const title = hasSafetensors ? 'python' : `python [skipped: ${python} has no packages safetensors and numpy]`;

describe.skipIf(!hasSafetensors)(title, () => {
  it('loads what we write', async () => {
    const path = join(folder, 'ours.safetensors');
    const tree = {
      f32: tf.tensor2d([1.5, -2, 3, Math.fround(0.1)], [2, 2]),
      f16: tf.tensor1d([1 / 3, 65_504]),
      f64: tf.tensor1d([0.25]),
      i32: tf.tensor1d([1, -2147483648], 'int32'),
      i64: tf.tensor1d([-5], 'int32'),
      u8: tf.tensor1d([0, 255], 'int32'),
      bool: tf.tensor1d([true, false, true], 'bool'),
      c64: tf.complex([1, 2], [3, -4]),
      scalar: tf.scalar(2),
      empty: tf.zeros([0, 3]),
      text: tf.tensor1d(['ala', 'ma'], 'string'),
    };
    const metadata = { note: 'zażółć "x"' };
    await saveSafetensors(path, tree, { metadata, dtypes: { f16: 'F16', f64: 'F64', i64: 'I64', u8: 'U8' } });
    const code = `
import json, sys
from safetensors import safe_open
with safe_open(sys.argv[1], framework="numpy") as f:
    out = {"metadata": f.metadata()}
    for name in f.keys():
        x = f.get_tensor(name)
        values = [[v.real, v.imag] for v in x.ravel()] if x.dtype.kind == "c" else x.ravel().tolist()
        out[name] = [str(x.dtype), list(x.shape), [[float(a) for a in v] for v in values] if x.dtype.kind == "c" else values]
    print(json.dumps(out))`;
    const { stdout, stderr } = run(code, path);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      metadata: { ...metadata, 'tfjs.string.text': '[2]' },
      f32: ['float32', [2, 2], [1.5, -2, 3, Math.fround(0.1)]],
      f16: ['float16', [2], [0.333251953125, 65_504]],
      f64: ['float64', [1], [0.25]],
      i32: ['int32', [2], [1, -2147483648]],
      i64: ['int64', [1], [-5]],
      u8: ['uint8', [2], [0, 255]],
      bool: ['bool', [3], [true, false, true]],
      c64: [
        'complex64',
        [2],
        [
          [1, 3],
          [2, -4],
        ],
      ],
      scalar: ['float32', [], [2]],
      empty: ['float32', [0, 3], []],
      text: ['uint8', [13], [3, 0, 0, 0, ...Buffer.from('ala'), 2, 0, 0, 0, ...Buffer.from('ma')]],
    });
    treeDispose(tree);
  });

  it('writes what we load', async () => {
    const path = join(folder, 'theirs.safetensors');
    const code = `
import sys, numpy as np
from safetensors.numpy import save_file
save_file({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "h": np.array([1/3, 1e-7, 65504], dtype=np.float16), "i": np.array([[-1]], dtype=np.int64),
  "u": np.array([200, 3], dtype=np.uint8), "b": np.array([True, False]), "d": np.array([0.5]), "c": np.array([1+2j], dtype=np.complex64)}, sys.argv[1], {"k": "v"})`;
    expect(run(code, path).stderr).toBe('');
    const { tensors, metadata } = await loadSafetensors(path);
    const read = async (name: string) => {
      const x = tensors[name]!;
      return [x.dtype, x.shape, Array.from(await x.data<'float32'>())];
    };
    expect(metadata).toEqual({ k: 'v' });
    expect(await read('a')).toEqual(['float32', [2, 3], [0, 1, 2, 3, 4, 5]]);
    expect(await read('h')).toEqual(['float32', [3], [0.333251953125, 2 * 2 ** -24, 65_504]]);
    expect(await read('i')).toEqual(['int32', [1, 1], [-1]]);
    expect(await read('u')).toEqual(['int32', [2], [200, 3]]);
    expect(await read('b')).toEqual(['bool', [2], [1, 0]]);
    expect(await read('d')).toEqual(['float32', [1], [0.5]]);
    expect(await read('c')).toEqual(['complex64', [1], [1, 2]]);
    treeDispose(tensors);
  });
});
