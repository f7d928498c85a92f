import * as tf from '@tensorflow/tfjs-core';
import { Op } from '../generated/ops.ts';
import type { WasmBackend } from '../start/backend.ts';
import { Block } from './heap.ts';
import { type KernelExports, Pool } from './pool.ts';

/** Bytes of the control block: 256 of words (assembly/pool.ts), then the arguments. */
const CONTROL = 256 + 1024;
const SCRATCH_ADDRESS = 200;
const SCRATCH_STRIDE = 204;

/** Multiply-adds, or elements that are moved, below which waking a worker does not pay. */
const THREADED_WORK = 4_000_000;
/** Work after which `threads: 'auto'` starts its workers: a short program never pays for them. */
const WORK_BEFORE_WORKERS = 100_000_000;

const float = new Float32Array(1);
const bitsOf = new Int32Array(float.buffer);

/** The bits of a float, to be passed among integer arguments. */
export function bits(value: number): number {
  float[0] = value;
  return bitsOf[0]!;
}

export interface RuntimeOptions {
  readonly backend: WasmBackend;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  /** 1: no workers. */
  readonly threads: number;
  /** Start the workers at once instead of at the first big kernel. */
  readonly eager: boolean;
}

/** Our kernels' binary at work in the heap of a tfjs backend: addresses, outputs, scratch memory, calls. */
export class Runtime {
  readonly backend: WasmBackend;
  readonly threads: number;
  readonly #exports: KernelExports;
  readonly #controlBlock: Block;
  readonly #control: number;
  readonly #scratch: Block;
  readonly #tables: Block;
  readonly #workspace: Block;
  readonly #pool: Pool | undefined;
  #scratchBytes = 0;
  #work = 0;

  constructor({ backend, memory, module, threads, eager }: RuntimeOptions) {
    this.backend = backend;
    this.threads = threads;
    this.#controlBlock = new Block(backend.wasm);
    this.#scratch = new Block(backend.wasm);
    this.#tables = new Block(backend.wasm);
    this.#workspace = new Block(backend.wasm);
    this.#exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
    const control = this.#controlBlock.reserve(CONTROL);
    this.#control = control;
    backend.wasm.HEAPU8.fill(0, control, control + CONTROL);
    if (threads > 1) this.#pool = new Pool({ module, memory, exports: this.#exports, control, threads });
    if (eager) this.#pool?.start();
    const { gemmScratch, gemvScratch, tangentScratch } = this.#exports;
    this.needScratch(Math.max(gemmScratch(), gemvScratch(), tangentScratch()));
  }

  get pool(): Pool | undefined {
    return this.#pool;
  }

  /** Float32 view of the whole heap; take it anew after anything that allocates. */
  get floats(): Float32Array {
    return this.backend.wasm.HEAPF32;
  }

  /** Int32 view of the whole heap; take it anew after anything that allocates. */
  get ints(): Int32Array {
    return this.backend.wasm.HEAP32;
  }

  /** Where a tensor's data lies. */
  address(x: tf.TensorInfo): number {
    return this.backend.dataIdMap.get(x.dataId).memoryOffset ?? 0;
  }

  /** How many tensors share the data. */
  references(x: tf.TensorInfo): number {
    return this.backend.dataIdMap.get(x.dataId).refCount;
  }

  /** A new tensor with undefined content. @throws {HeapFullError} */
  output(shape: readonly number[], dtype: tf.DataType = 'float32'): tf.TensorInfo {
    return this.backend.makeOutput(shape as number[], dtype);
  }

  /** Frees a tensor that a kernel made for itself. */
  release(x: tf.TensorInfo): void {
    this.backend.disposeData(x.dataId);
  }

  /** The same data as another tensor. */
  share(x: tf.TensorInfo, shape: readonly number[] = x.shape): tf.TensorInfo {
    this.backend.incRef(x.dataId);
    return { dataId: x.dataId, shape: shape as number[], dtype: x.dtype };
  }

  /** Whether a donated tensor may be written into: nobody else refers to its data. `among`: all inputs of the call. */
  mayReuse(x: tf.TensorInfo, among: readonly tf.TensorInfo[]): boolean {
    if (this.references(x) !== 1) return false;
    let times = 0;
    for (const other of among) if (other.dataId === x.dataId) times++;
    return times === 1;
  }

  /**
   * Where the result goes that replaces a donated tensor: its own memory if that may be reused, else new memory with
   * undefined content. Stock kernels keep packed copies of weights by tensor; the reused one's is dropped.
   */
  replacement(x: tf.TensorInfo, among: readonly tf.TensorInfo[]): tf.TensorInfo {
    if (!this.mayReuse(x, among)) return this.output(x.shape, x.dtype);
    this.forgetPacked(x);
    return this.share(x);
  }

  /** Like `replacement`, with the content of `x` in any case. */
  donated(x: tf.TensorInfo, among: readonly tf.TensorInfo[]): tf.TensorInfo {
    const target = this.replacement(x, among);
    const [from, to] = [this.address(x), this.address(target)];
    const bytes = tf.util.sizeFromShape(x.shape) * tf.util.bytesPerElement(x.dtype);
    if (from !== to) this.backend.wasm.HEAPU8.copyWithin(to, from, from + bytes);
    return target;
  }

  /** Makes XNNPACK forget what it packed of a tensor's values (weights of matmuls and convolutions). */
  forgetPacked(x: tf.TensorInfo): void {
    const { id, memoryOffset } = this.backend.dataIdMap.get(x.dataId);
    const { tfjs } = this.backend.wasm;
    tfjs.disposeData(id);
    tfjs.registerTensor(id, tf.util.sizeFromShape(x.shape), memoryOffset ?? 0);
  }

  /** Makes sure that each thread has `bytes` of scratch memory in the next call. */
  needScratch(bytes: number): void {
    if (bytes <= this.#scratchBytes) return;
    const stride = Math.ceil(bytes / 64) * 64;
    const address = this.#scratch.reserve(stride * this.threads);
    this.#scratchBytes = stride;
    const control = this.#control;
    this.ints[(control + SCRATCH_ADDRESS) >>> 2] = address;
    this.ints[(control + SCRATCH_STRIDE) >>> 2] = stride;
  }

  /** A table of integers for one call; it is valid until the next `table`. Allocate outputs first. */
  table(values: ArrayLike<number>): number {
    const address = this.#tables.reserve(values.length * 4);
    this.ints.set(values, address >>> 2);
    return address;
  }

  /** Memory for one call, e.g. partial sums; its content is undefined. Valid until the next `workspace`. */
  workspace(bytes: number): number {
    return this.#workspace.reserve(bytes);
  }

  /** How many chunks to cut a kernel into: 1 for little work, else some per thread so that none waits long. */
  chunks(work: number, atMost: number): number {
    if (this.#pool === undefined || work < THREADED_WORK) return 1;
    this.#work += work;
    if (this.#work > WORK_BEFORE_WORKERS) this.#pool.start();
    return Math.max(1, Math.min(atMost, this.#pool.ready === 0 ? 1 : 3 * (this.#pool.ready + 1)));
  }

  /**
   * Runs an op, its arguments being integers, addresses and `bits(float)`. Allocate everything before.
   *
   * @param chunks Pieces that threads claim: from `chunks`, or a fixed number where the bits depend on it.
   * @param work With a fixed number of chunks: multiply-adds in all, so that little work stays on this thread.
   */
  run(op: number, args: ArrayLike<number>, chunks = 1, work: number = Number.POSITIVE_INFINITY): void {
    const control = this.#control;
    const words = this.ints;
    const start = (control + 256) >>> 2;
    for (let i = 0; i < args.length; i++) words[start + i] = args[i]!;
    const threaded = chunks > 1 && work >= THREADED_WORK && this.#pool !== undefined && this.#pool.ready > 0;
    if (threaded) this.#pool!.run(op, chunks);
    else this.#exports.alone(control, op, chunks);
  }

  /** Makes a worker trap, for tests of what happens then. */
  fault(): void {
    this.run(Op.Fault, [1 << 24], 3 * this.threads);
  }

  /** Stops the workers and gives all memory back. */
  dispose(): void {
    this.#pool?.stop();
    for (const block of [this.#controlBlock, this.#scratch, this.#tables, this.#workspace]) block.free();
  }
}
