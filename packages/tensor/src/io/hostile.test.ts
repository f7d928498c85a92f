import { cpu, useBackend } from '@frugal/tensor';
import { expectNoLeak } from '@frugal/test-support';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { treeDispose } from '../tree/index.ts';
import {
  decodeSafetensors,
  decodeSafetensorsStream,
  encodeSafetensors,
  SafetensorsError,
  type SafetensorsFault,
} from './index.ts';

beforeAll(async () => {
  await useBackend(cpu());
});

function file(header: string | Uint8Array, data = 0, claimed?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const out = new Uint8Array(8 + json.length + data);
  new DataView(out.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  out.set(json, 8);
  return out;
}

const one = (fields: string, data = 4) => file(`{"a":{${fields}}}`, data);
const tensor = (start: number, end: number, shape = `[${(end - start) / 4}]`) =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${start},${end}]}`;

const faults: [what: string, code: SafetensorsFault, bytes: Uint8Array][] = [
  ['nothing', 'SAFETENSORS_LENGTH', new Uint8Array(0)],
  ['7 bytes', 'SAFETENSORS_LENGTH', new Uint8Array(7)],
  ['a header beyond the file', 'SAFETENSORS_LENGTH', file('{}', 0, 1000n)],
  ['a header of 2^63 bytes', 'SAFETENSORS_HEADER_SIZE', file('{}', 0, 2n ** 63n)],
  ['a header over the limit', 'SAFETENSORS_HEADER_SIZE', file('{}', 0, 100_000_000n)],
  ['no header', 'SAFETENSORS_HEADER', file('')],
  ['text', 'SAFETENSORS_HEADER', file('hello')],
  ['an array', 'SAFETENSORS_HEADER', file('[]')],
  ['a byte order mark', 'SAFETENSORS_HEADER', file('\ufeff{}')],
  ['invalid UTF-8', 'SAFETENSORS_HEADER', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d))],
  ['truncated JSON', 'SAFETENSORS_HEADER', file('{"a":')],
  ['JSON and more', 'SAFETENSORS_HEADER', file('{}{}')],
  ['a trailing comma', 'SAFETENSORS_HEADER', file(`{"a":${tensor(0, 4)},}`, 4)],
  ['deep nesting', 'SAFETENSORS_HEADER', file(`{"a":${'['.repeat(1_000_000)}`)],
  ['an endless string', 'SAFETENSORS_HEADER', file(`{"${'x'.repeat(4_000_000)}`)],
  ['half a surrogate pair', 'SAFETENSORS_HEADER', file('{"\\ud800":{}}')],
  ['an entry that is a string', 'SAFETENSORS_HEADER', file('{"a":"b"}')],
  ['metadata that are no strings', 'SAFETENSORS_HEADER', file('{"__metadata__":{"a":1}}')],
  ['metadata that are a list', 'SAFETENSORS_HEADER', file('{"__metadata__":[]}')],
  ['a repeated name', 'SAFETENSORS_DUPLICATE', file(`{"a":${tensor(0, 4)},"a":${tensor(4, 8)}}`, 8)],
  ['a repeated name, escaped', 'SAFETENSORS_DUPLICATE', file(`{"a":${tensor(0, 4)},"\\u0061":${tensor(4, 8)}}`, 8)],
  ['a repeated field', 'SAFETENSORS_DUPLICATE', one('"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]')],
  ['__proto__', 'SAFETENSORS_NAME', file(`{"__proto__":${tensor(0, 4)}}`, 4)],
  ['__proto__ in the metadata', 'SAFETENSORS_NAME', file('{"__metadata__":{"__proto__":"x"}}')],
  ['an unknown dtype', 'SAFETENSORS_DTYPE', one('"dtype":"F4","shape":[8],"data_offsets":[0,4]')],
  ['a dtype from the prototype', 'SAFETENSORS_DTYPE', one('"dtype":"constructor","shape":[8],"data_offsets":[0,4]')],
  ['no dtype', 'SAFETENSORS_DTYPE', one('"shape":[1],"data_offsets":[0,4]')],
  ['no shape', 'SAFETENSORS_SHAPE', one('"dtype":"F32","data_offsets":[0,4]')],
  ['a negative size', 'SAFETENSORS_SHAPE', one('"dtype":"F32","shape":[-1,-1],"data_offsets":[0,4]')],
  ['a fractional size', 'SAFETENSORS_SHAPE', one('"dtype":"F32","shape":[1.0],"data_offsets":[0,4]')],
  [
    'a shape beyond 2^53',
    'SAFETENSORS_SHAPE',
    one('"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]', 0),
  ],
  [
    'a shape beyond 2^53 and empty',
    'SAFETENSORS_SHAPE',
    one('"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]', 0),
  ],
  ['a rank of 1000', 'SAFETENSORS_SHAPE', one(`"dtype":"F32","shape":[${Array(1000).fill(1)}],"data_offsets":[0,4]`)],
  ['no offsets', 'SAFETENSORS_OFFSETS', one('"dtype":"F32","shape":[1]')],
  ['three offsets', 'SAFETENSORS_OFFSETS', one('"dtype":"F32","shape":[1],"data_offsets":[0,4,8]')],
  ['a negative offset', 'SAFETENSORS_OFFSETS', one('"dtype":"F32","shape":[1],"data_offsets":[-4,0]')],
  ['offsets in reverse', 'SAFETENSORS_OFFSETS', one('"dtype":"F32","shape":[1],"data_offsets":[4,0]')],
  ['offsets that do not fit the shape', 'SAFETENSORS_OFFSETS', one('"dtype":"F32","shape":[2],"data_offsets":[0,4]')],
  ['overlapping tensors', 'SAFETENSORS_OFFSETS', file(`{"a":${tensor(0, 8)},"b":${tensor(4, 12)}}`, 12)],
  ['the same bytes twice', 'SAFETENSORS_OFFSETS', file(`{"a":${tensor(0, 4)},"b":${tensor(0, 4)}}`, 4)],
  ['a hole', 'SAFETENSORS_OFFSETS', file(`{"a":${tensor(0, 4)},"b":${tensor(8, 12)}}`, 12)],
  ['a hole at the front', 'SAFETENSORS_OFFSETS', file(`{"a":${tensor(4, 8)}}`, 8)],
  ['a terabyte that is not there', 'SAFETENSORS_LENGTH', file(`{"a":${tensor(0, 2 ** 40)}}`, 16)],
  ['truncated data', 'SAFETENSORS_LENGTH', file(`{"a":${tensor(0, 8)}}`, 4)],
  ['data after the end', 'SAFETENSORS_LENGTH', file(`{"a":${tensor(0, 4)}}`, 5)],
  [
    'a bool of 2',
    'SAFETENSORS_VALUE',
    (() => {
      const bytes = one('"dtype":"BOOL","shape":[1],"data_offsets":[0,1]', 1);
      bytes[bytes.length - 1] = 2;
      return bytes;
    })(),
  ],
  [
    'an integer beyond int32',
    'SAFETENSORS_VALUE',
    (() => {
      const bytes = one('"dtype":"I64","shape":[1],"data_offsets":[0,8]', 8);
      bytes[bytes.length - 2] = 1;
      return bytes;
    })(),
  ],
  [
    'a million strings in 4 bytes',
    'SAFETENSORS_VALUE',
    file('{"__metadata__":{"tfjs.string.a":"[1000000]"},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}', 4),
  ],
  [
    'a string longer than the file',
    'SAFETENSORS_VALUE',
    (() => {
      const bytes = file(
        '{"__metadata__":{"tfjs.string.a":"[1]"},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}',
        4,
      );
      bytes[bytes.length - 1] = 0x7f;
      return bytes;
    })(),
  ],
];

async function* pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 4096) yield bytes.subarray(at, at + 4096);
}

async function readStream(bytes: Uint8Array): Promise<void> {
  for await (const item of decodeSafetensorsStream(pieces(bytes))) if (item.kind === 'tensor') item.tensor.dispose();
}

it.each(faults)('refuses %s with %s', async (_what, code, bytes) => {
  await expectNoLeak(async () => {
    await expect(decodeSafetensors(bytes)).rejects.toBeInstanceOf(SafetensorsError);
    await expect(decodeSafetensors(bytes)).rejects.toMatchObject({ code });
    await expect(readStream(bytes)).rejects.toBeInstanceOf(SafetensorsError);
  });
});

it('frees the tensors of a file whose last one is bad', async () => {
  const bytes = file(`{"a":${tensor(0, 4)},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[4,5]}}`, 5);
  bytes[bytes.length - 1] = 9;
  await expectNoLeak(() => expect(decodeSafetensors(bytes)).rejects.toThrow(/"b": bool cannot hold the value 9/));
});

it('takes memory for the bytes that are there, not for those that are claimed', async () => {
  const claimed = 2 ** 31;
  const bytes = file(`{"a":${tensor(0, claimed)}}`, 1 << 20);
  const sizes: number[] = [];
  const Original = globalThis.Uint8Array;
  const Spy = new Proxy(Original, {
    construct(target, args, newTarget): object {
      if (typeof args[0] === 'number') sizes.push(args[0]);
      return Reflect.construct(target, args, newTarget) as object;
    },
  });
  globalThis.Uint8Array = Spy;
  try {
    await expect(readStream(bytes)).rejects.toMatchObject({ code: 'SAFETENSORS_LENGTH' });
    await expect(decodeSafetensors(bytes)).rejects.toMatchObject({ code: 'SAFETENSORS_LENGTH' });
  } finally {
    globalThis.Uint8Array = Original;
  }
  expect(sizes.length).toBeGreaterThan(0);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * bytes.length);
});

/** Reads whatever it is; nothing but a SafetensorsError may come, and what was read must be the file's own size. */
async function survives(bytes: Uint8Array): Promise<void> {
  const before = tf.memory().numTensors;
  try {
    const { tensors } = await decodeSafetensors(bytes, { lossy: true });
    const read = Object.values(tensors).reduce((sum, x) => sum + x.size, 0);
    expect(read).toBeLessThanOrEqual(bytes.length);
    expect(Object.getPrototypeOf(tensors)).toBe(Object.prototype);
    treeDispose(tensors);
  } catch (error) {
    expect(error).toBeInstanceOf(SafetensorsError);
  }
  expect(tf.memory().numTensors).toBe(before);
}

it('survives any bytes', async () => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), survives));
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 100 }), (text) => survives(file(text, 8))));
});

it('survives any header of the right form', async () => {
  const size = fc.oneof(fc.integer({ min: -1, max: 4 }), fc.maxSafeInteger(), fc.double(), fc.constant('1'));
  const entry = fc.record(
    {
      dtype: fc.constantFrom('F32', 'F16', 'BF16', 'F64', 'I64', 'U8', 'BOOL', 'C64', 'F8_E4M3', 'X'),
      shape: fc.array(size, { maxLength: 4 }),
      data_offsets: fc.array(fc.oneof(fc.integer({ min: -2, max: 32 }), size), { minLength: 1, maxLength: 3 }),
    },
    { requiredKeys: [] },
  );
  const name = fc.constantFrom('a', 'b', '__proto__', '__metadata__', 'constructor', 'toString', 'a.b', '');
  const header = fc.array(
    fc.tuple(name, fc.oneof({ weight: 5, arbitrary: entry }, { weight: 1, arbitrary: fc.jsonValue() })),
    { maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(header, fc.nat(40), async (entries, data) => {
      const json = `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
      await survives(file(json, data));
    }),
    { numRuns: 500 },
  );
});

it('survives damaged real files, or reads them', async () => {
  const tree = {
    w: tf.tensor2d([1, 2, 3, 4], [2, 2]),
    ids: tf.tensor1d([5, 6], 'int32'),
    s: tf.tensor1d(['a', 'bc'], 'string'),
  };
  const bytes = await encodeSafetensors(tree, { metadata: { note: 'x' }, dtypes: { w: 'F16' } });
  treeDispose(tree);
  const position = fc.nat(bytes.length - 1);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(position, fc.nat(255)), { maxLength: 3 }),
      fc.option(position),
      async (edits, end) => {
        const damaged = bytes.slice(0, end ?? bytes.length);
        for (const [at, value] of edits) if (at < damaged.length) damaged[at] = value;
        await survives(damaged);
      },
    ),
    { numRuns: 1000 },
  );
});
