import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c, maskedCrc32c } from './crc32c.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

it('gives the published values (RFC 3720, B.4)', () => {
  expect(crc32c(new Uint8Array(0))).toBe(0);
  expect(crc32c(ascii('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i))).toBe(0x113fdb5c);
});

it("masks as TensorFlow does: crc('foo') and back", () => {
  const crc = crc32c(ascii('foo'));
  const rotated = (maskedCrc32c(ascii('foo')) - 0xa282ead8) >>> 0;
  expect(((rotated >>> 17) | (rotated << 15)) >>> 0).toBe(crc);
});

it('goes on in pieces, and equals the bitwise definition', () => {
  const bitwise = (bytes: Uint8Array): number => {
    let crc = 0xffffffff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc >>> 0;
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      expect(crc32c(bytes)).toBe(bitwise(bytes));
      expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(bitwise(bytes));
    }),
  );
});
