import { FrugalError } from '@frugal/tensor';

/** How the places of the values that are not zero are written. */
export type Coding = 'bitmap' | 'delta';

/** The places as bytes: one bit per element, or the distance from one value to the next. */
export const codings: Readonly<
  Record<
    Coding,
    {
      encode(places: Uint32Array, size: number): Uint8Array;
      decode(bytes: Uint8Array, size: number, count: number): Uint32Array;
    }
  >
> = {
  bitmap: {
    encode(places, size) {
      const bytes = new Uint8Array(Math.ceil(size / 8));
      for (const i of places) bytes[i >> 3]! |= 1 << (i & 7);
      return bytes;
    },
    decode(bytes, size, count) {
      if (bytes.length !== Math.ceil(size / 8)) throw broken(`a bitmap of ${size} elements has ${bytes.length} bytes`);
      const places = new Uint32Array(count);
      let at = 0;
      for (let i = 0; i < bytes.length * 8; i++) {
        if ((bytes[i >> 3]! & (1 << (i & 7))) === 0) continue;
        if (i >= size || at >= count) throw broken('a bitmap marks more values than there are');
        places[at++] = i;
      }
      if (at < count) throw broken('a bitmap marks fewer values than there are');
      return places;
    },
  },
  // A byte is the number of zeros before the next value; 255 stands for 255 zeros and no value yet.
  delta: {
    encode(places) {
      let length = places.length;
      for (let k = 0; k < places.length; k++) length += Math.floor(gap(places, k) / 255);
      const bytes = new Uint8Array(length);
      let at = 0;
      for (let k = 0; k < places.length; k++) {
        let zeros = gap(places, k);
        for (; zeros >= 255; zeros -= 255) bytes[at++] = 255;
        bytes[at++] = zeros;
      }
      return bytes;
    },
    decode(bytes, size, count) {
      const places = new Uint32Array(count);
      let [at, next] = [0, 0];
      for (const zeros of bytes) {
        next += zeros;
        if (zeros === 255) continue;
        if (at >= count || next >= size) throw broken('distances lead beyond the tensor');
        places[at++] = next++;
      }
      if (at < count || bytes.at(-1) === 255) throw broken('there are fewer distances than values');
      return places;
    },
  },
};

/** Zeros between value k and the one before it. */
const gap = (places: Uint32Array, k: number): number => (k === 0 ? places[0]! : places[k]! - places[k - 1]! - 1);

export function broken(what: string): FrugalError {
  return new FrugalError('SPARSE_FILE', `The sparse file is broken: ${what}. Write it again with encodeSparse.`);
}
