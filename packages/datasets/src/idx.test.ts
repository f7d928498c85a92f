import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IdxError, parseIdx } from './idx.ts';

function idx(type: number, shape: number[], body: number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + body.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, type, shape.length]);
  for (const [i, size] of shape.entries()) view.setUint32(4 + 4 * i, size);
  bytes.set(body, 4 + 4 * shape.length);
  return bytes;
}

describe('parseIdx', () => {
  test('reads every element type, big-endian', () => {
    expect(parseIdx(idx(0x08, [2, 2], [1, 2, 3, 255]))).toEqual({ shape: [2, 2], values: Uint8Array.of(1, 2, 3, 255) });
    expect(parseIdx(idx(0x09, [2], [1, 255])).values).toEqual(Int8Array.of(1, -1));
    expect(parseIdx(idx(0x0b, [1], [1, 2])).values).toEqual(Int16Array.of(258));
    expect(parseIdx(idx(0x0c, [1], [255, 255, 255, 254])).values).toEqual(Int32Array.of(-2));
    expect(parseIdx(idx(0x0d, [1], [0x3f, 0x80, 0, 0])).values).toEqual(Float32Array.of(1));
    expect(parseIdx(idx(0x0e, [1], [0xc0, 0, 0, 0, 0, 0, 0, 0])).values).toEqual(Float64Array.of(-2));
  });

  test('reads a file that lies inside a larger buffer', () => {
    const file = idx(0x08, [3], [7, 8, 9]);
    const around = new Uint8Array(file.length + 10);
    around.set(file, 5);
    expect(parseIdx(around.subarray(5, 5 + file.length)).values).toEqual(Uint8Array.of(7, 8, 9));
  });

  test('refuses damaged files and says why', () => {
    expect(() => parseIdx(Uint8Array.of(0x1f, 0x8b, 8, 0))).toThrow(/gunzip/);
    expect(() => parseIdx(idx(0x07, [1], [0]))).toThrow(/0x7 is unknown/);
    expect(() => parseIdx(idx(0x08, [3], [1, 2]))).toThrow(/makes 11 bytes, the file has 10/);
    expect(() => parseIdx(Uint8Array.of(0, 0, 8, 9, 0))).toThrow(/ends within its header/);
    expect(() => parseIdx(idx(0x0e, [4294967295, 4294967295], []))).toThrow(IdxError);
  });

  test('gives an array or an IdxError for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, header) => {
        if (header) bytes.set([0, 0, 8, bytes.length % 3].slice(0, bytes.length));
        try {
          const { shape, values } = parseIdx(bytes);
          expect(values.length).toBe(shape.reduce((a, b) => a * b, 1));
        } catch (error) {
          expect(error).toBeInstanceOf(IdxError);
        }
      }),
    );
  });
});
