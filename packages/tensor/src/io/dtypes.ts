import type { DataType } from '@tensorflow/tfjs-core';
import { SafetensorsError } from './errors.ts';
import { fromBfloat16, fromFloat8E4M3, fromFloat8E5M2, fromHalf, toBfloat16, toHalf } from './half.ts';

/** What a backend gives and takes for a tensor that is not of strings. */
export type Values = Float32Array | Int32Array | Uint8Array;

/** The dtypes of safetensors that can be read. */
export type SafetensorsDtype =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'I64'
  | 'U64'
  | 'I32'
  | 'U32'
  | 'I16'
  | 'U16'
  | 'I8'
  | 'U8'
  | 'BOOL'
  | 'C64';

interface Codec {
  /** Bytes of one element. */
  readonly size: number;
  /** The tfjs dtype that it is read into. */
  readonly dtype: Exclude<DataType, 'string'>;
  /** File bytes (8-byte aligned, owned) → values. */
  read(bytes: Uint8Array, lossy: boolean): Values;
  /** Values of `dtype` → file bytes; missing where nothing is written in this dtype. */
  write?(values: Values): ArrayBufferView;
}

type Numbers = ArrayLike<number> & { [i: number]: number } & ArrayBufferView;
type NumbersMaker = {
  new (length: number): Numbers;
  new (buffer: ArrayBufferLike, offset: number, n: number): Numbers;
};
type BigMaker = typeof BigInt64Array | typeof BigUint64Array;

function view<T>(make: new (b: ArrayBufferLike, o: number, n: number) => T, bytes: Uint8Array, size: number): T {
  return new make(bytes.buffer, bytes.byteOffset, bytes.length / size);
}

function refuse(value: number | bigint, dtype: string, fix: string): never {
  throw new SafetensorsError('SAFETENSORS_VALUE', `${dtype} cannot hold the value ${value} exactly. ${fix}`);
}

function integers(Make: NumbersMaker, size: number, name: string): Codec {
  const copy = (values: ArrayLike<number>, out: Numbers, dtype: string, fix: string): Numbers => {
    for (let i = 0; i < values.length; i++) {
      out[i] = values[i]!;
      if (out[i] !== values[i]) refuse(values[i]!, dtype, fix);
    }
    return out;
  };
  return {
    size,
    dtype: 'int32',
    read: (bytes) => {
      const values = view(Make, bytes, size);
      return copy(values, new Int32Array(values.length), 'int32', 'tfjs has no wider integer.') as Int32Array;
    },
    write: (values) => copy(values, new Make(values.length), name, 'Choose a wider dtype.'),
  };
}

function bigIntegers(Make: BigMaker, name: string): Codec {
  return {
    size: 8,
    dtype: 'int32',
    read: (bytes) => {
      const values = view<BigInt64Array | BigUint64Array>(Make, bytes, 8);
      return Int32Array.from(values as BigInt64Array, (value) => {
        if (BigInt.asIntN(32, value) !== value) refuse(value, 'int32', 'tfjs has no wider integer.');
        return Number(value);
      });
    },
    write: (values) => {
      const out = new Make(values.length);
      for (let i = 0; i < values.length; i++) {
        if (Make === BigUint64Array && values[i]! < 0) refuse(values[i]!, name, 'Choose I64.');
        out[i] = BigInt(values[i]!);
      }
      return out;
    },
  };
}

function readDoubles(bytes: Uint8Array, lossy: boolean): Float32Array {
  const values = view(Float64Array, bytes, 8);
  const out = new Float32Array(values);
  for (let i = 0; i < out.length && !lossy; i++) {
    if (!Object.is(out[i], values[i])) refuse(values[i]!, 'float32', "Pass 'lossy: true' to round it.");
  }
  return out;
}

function readBooleans(bytes: Uint8Array): Uint8Array {
  const wrong = bytes.find((byte) => byte > 1);
  if (wrong !== undefined) refuse(wrong, 'bool', 'A BOOL is 0 or 1.');
  return bytes;
}

const floats = (size: number, read: Codec['read'], write?: (values: Float32Array) => ArrayBufferView): Codec => ({
  size,
  dtype: 'float32',
  read,
  ...(write && { write: (values: Values) => write(values as Float32Array) }),
});

const readF32: Codec['read'] = (bytes) => view(Float32Array, bytes, 4);

export const codecs: Readonly<Record<SafetensorsDtype, Codec>> = {
  F64: floats(8, readDoubles, (values) => new Float64Array(values)),
  F32: floats(4, readF32, (values) => values),
  F16: floats(2, (bytes) => fromHalf(view(Uint16Array, bytes, 2)), toHalf),
  BF16: floats(2, (bytes) => fromBfloat16(view(Uint16Array, bytes, 2)), toBfloat16),
  F8_E4M3: floats(1, fromFloat8E4M3),
  F8_E5M2: floats(1, fromFloat8E5M2),
  I64: bigIntegers(BigInt64Array, 'I64'),
  U64: bigIntegers(BigUint64Array, 'U64'),
  I32: integers(Int32Array, 4, 'I32'),
  U32: integers(Uint32Array, 4, 'U32'),
  I16: integers(Int16Array, 2, 'I16'),
  U16: integers(Uint16Array, 2, 'U16'),
  I8: integers(Int8Array, 1, 'I8'),
  U8: integers(Uint8Array, 1, 'U8'),
  BOOL: { size: 1, dtype: 'bool', read: readBooleans, write: (values) => Uint8Array.from(values, (v) => (v ? 1 : 0)) },
  // Real and imaginary parts interleaved, in tfjs as in the file.
  C64: { size: 8, dtype: 'complex64', read: readF32, write: (values) => values },
};

/** The dtype that a tensor is written in when nobody asks for another one; strings become bytes. */
export const defaultDtype: Readonly<Record<DataType, SafetensorsDtype>> = {
  float32: 'F32',
  int32: 'I32',
  bool: 'BOOL',
  complex64: 'C64',
  string: 'U8',
};
