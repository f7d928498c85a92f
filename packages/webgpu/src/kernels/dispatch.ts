import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';

/** What of the backend we use beyond its public interface; `internals.test.ts` holds tfjs to it. */
export interface Internals {
  readonly device: GPUDevice;
  readonly tensorMap: { get(id: object): { values: unknown; resource?: GPUBuffer } };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  commandQueueOwnedIds: WeakSet<object>;
  dispatchCountInPass: number;
  activeTimers: unknown[] | null | undefined;
  uploadToGPU(id: object): void;
  tensorToBinding(tensor: tf.TensorInfo): GPUBindingResource;
  makeUniforms(uniforms: { type: string; data: number[] }[]): GPUBindingResource;
  makeTensorInfo(shape: readonly number[], dtype: tf.DataType): tf.TensorInfo;
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  incRef(id: object): void;
  refCount(id: object): number;
  disposeData(id: object): boolean;
}

/** A number of the uniform block and its type in WGSL. */
export type Uniform = readonly [name: string, type: 'i32' | 'u32' | 'f32', value: number];

/** One compute pass of a shader of ours. */
export interface Pass {
  /** Names the code: everything that changes it must stand here. */
  readonly key: string;
  /** WGSL from `fn main` on; `id` names the builtins. Bindings and uniforms (`u.name`) are declared before it. */
  readonly code: () => string;
  /** Buffers that are written, by name; they may be read too. */
  readonly writes: Readonly<Record<string, tf.TensorInfo>>;
  readonly reads?: Readonly<Record<string, tf.TensorInfo>>;
  readonly uniforms: readonly Uniform[];
  /** Workgroups along x; more than the device allows are folded into y, `groupIndex(id)` counts them. */
  readonly workgroups: number;
  readonly workgroupSize: number;
}

const UNIFORM_TYPE = { i32: 'int32', u32: 'uint32', f32: 'float32' } as const;
const ELEMENT: Readonly<Record<string, string>> = { float32: 'f32', int32: 'i32', bool: 'i32' };

const pipelines = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();

/** The backend with what its typings keep private. */
export const internals = (backend: unknown): Internals => backend as WebGPUBackend & Internals;

function shader({ code, writes, reads = {}, uniforms, workgroupSize }: Pass): string {
  let slot = 0;
  const declare =
    (access: string) =>
    ([name, { dtype }]: [string, tf.TensorInfo]): string =>
      `@group(0) @binding(${slot++}) var<storage, ${access}> ${name}: array<${ELEMENT[dtype]}>;`;
  return [
    ...Object.entries(writes).map(declare('read_write')),
    ...Object.entries(reads).map(declare('read')),
    `struct Uniforms { ${uniforms.map(([name, type]) => `${name}: ${type}`).join(', ')} };`,
    `@group(0) @binding(${slot}) var<uniform> u: Uniforms;`,
    'struct Ids { @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32 };',
    'fn groupIndex(id: Ids) -> u32 { return id.group.y * id.groups.x + id.group.x; }',
    `fn threadIndex(id: Ids) -> u32 { return groupIndex(id) * ${workgroupSize}u + id.local; }`,
    code().replace('fn main(', `@compute @workgroup_size(${workgroupSize}) fn main(`),
  ].join('\n');
}

function pipelineOf(device: GPUDevice, pass: Pass): GPUComputePipeline {
  const known = pipelines.get(device) ?? new Map<string, GPUComputePipeline>();
  pipelines.set(device, known);
  const key = `${pass.key} ${pass.workgroupSize}`;
  let pipeline = known.get(key);
  if (pipeline === undefined) {
    const module = device.createShaderModule({ label: key, code: shader(pass) });
    pipeline = device.createComputePipeline({ label: key, layout: 'auto', compute: { module, entryPoint: 'main' } });
    known.set(key, pipeline);
  }
  return pipeline;
}

/** Encodes a pass into the queue of the backend, after everything that tfjs has encoded there. */
export function dispatch(b: Internals, pass: Pass): void {
  const { writes, reads = {}, uniforms, workgroups } = pass;
  if (workgroups === 0) return;
  const written = Object.values(writes);
  const tensors = [...written, ...Object.values(reads)];
  for (const { dataId } of tensors) b.uploadToGPU(dataId);
  const pipeline = pipelineOf(b.device, pass);
  const values = uniforms.map(([, type, value]) => ({ type: UNIFORM_TYPE[type], data: [value] }));
  const entries = [...tensors.map((tensor) => b.tensorToBinding(tensor)), b.makeUniforms(values)].map(
    (resource, binding) => ({ binding, resource }),
  );
  const bindGroup = b.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const most = b.device.limits.maxComputeWorkgroupsPerDimension;
  const x = Math.min(workgroups, most);
  b.ensureCommandEncoderReady();
  b.computePassEncoder ??= b.commandEncoder!.beginComputePass();
  b.computePassEncoder.setPipeline(pipeline);
  b.computePassEncoder.setBindGroup(0, bindGroup);
  b.computePassEncoder.dispatchWorkgroups(x, Math.ceil(workgroups / x));
  own(b, tensors, written);
  b.dispatchCountInPass++;
  if (b.dispatchCountInPass >= tf.env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE')) {
    b.endComputePassEncoder();
    b.submitQueue();
  }
}

/** Keeps buffers until the queue is submitted, and drops copies of what was overwritten. */
function own(b: Internals, tensors: readonly tf.TensorInfo[], written: readonly tf.TensorInfo[]): void {
  for (const { dataId } of tensors) b.commandQueueOwnedIds.add(dataId);
  for (const { dataId } of written) b.tensorMap.get(dataId).values = null;
}

/**
 * Where the result goes that replaces a donated tensor: the tensor itself if nobody else refers to its data and it stands
 * once among the inputs, else a copy of it.
 */
export function replacement(b: Internals, x: tf.TensorInfo, among: readonly tf.TensorInfo[]): tf.TensorInfo {
  const times = among.filter(({ dataId }) => dataId === x.dataId).length;
  if (times === 1 && b.refCount(x.dataId) === 1) {
    b.incRef(x.dataId);
    return { dataId: x.dataId, shape: x.shape, dtype: x.dtype };
  }
  const copy = b.makeTensorInfo(x.shape, x.dtype);
  if (tf.util.sizeFromShape(x.shape) === 0) return copy;
  for (const { dataId } of [x, copy]) b.uploadToGPU(dataId);
  const [from, to] = [b.tensorMap.get(x.dataId).resource!, b.tensorMap.get(copy.dataId).resource!];
  b.ensureCommandEncoderReady();
  b.endComputePassEncoder();
  b.commandEncoder!.copyBufferToBuffer(from, 0, to, 0, to.size);
  own(b, [x, copy], [copy]);
  return copy;
}
