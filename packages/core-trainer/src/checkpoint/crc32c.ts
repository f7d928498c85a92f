/** Castagnoli's polynomial, bits reversed. */
const POLYNOMIAL = 0x82f63b78;

let tables: Int32Array[] | undefined;

/** tables[k][b]: the checksum of byte b followed by k zero bytes. */
function makeTables(): Int32Array[] {
  const first = Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    return crc;
  });
  const all = [first];
  for (let k = 1; k < 8; k++) {
    all.push(all[k - 1]!.map((crc) => (crc >>> 8) ^ first[crc & 255]!));
  }
  return all;
}

/**
 * The CRC-32C (Castagnoli) of some bytes, as TFRecord files and checkpoints use it (RFC 3720, B.4).
 *
 * @param previous The checksum of what came before, to go on in pieces. Default 0: nothing.
 * @returns An integer in [0, 2³²).
 */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  tables ??= makeTables();
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  let crc = ~previous;
  let i = 0;
  // Eight bytes a round, each with a table of its own.
  for (const end = bytes.length - 7; i < end; i += 8) {
    const low = crc ^ (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    crc =
      t7[low & 255]! ^
      t6[(low >>> 8) & 255]! ^
      t5[(low >>> 16) & 255]! ^
      t4[low >>> 24]! ^
      t3[bytes[i + 4]!]! ^
      t2[bytes[i + 5]!]! ^
      t1[bytes[i + 6]!]! ^
      t0[bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) crc = (crc >>> 8) ^ t0[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}

/** The checksum as TFRecord files store it: rotated and shifted, so that a checksum of checksums is no zero. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
