const devices = new WeakSet<GPUDevice>();

/** Remembers that a device calculates on the CPU. */
export function markEmulated(device: GPUDevice): void {
  devices.add(device);
}

/** Whether a device calculates on the CPU: barriers cost much there, and memory shared by a workgroup gains nothing. */
export function isEmulated(device: GPUDevice): boolean {
  return devices.has(device);
}
