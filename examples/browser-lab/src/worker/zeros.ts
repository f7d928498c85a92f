import { probeActivations } from '@frugal/sparsity-metrics';
import type { Tree } from '@frugal/tensor';
import type { LayerZeros } from '../protocol.ts';
import type { Task } from './task.ts';

/** Share of zeros behind each rectifier. */
export async function zerosOf(task: Task, params: Tree): Promise<LayerZeros[]> {
  if (task.layers.length === 0) return [];
  const { layers } = await probeActivations(() => task.pass(params));
  return layers.slice(0, task.layers.length).map(({ zeroFraction, deadUnits, unitActivity }, i) => ({
    name: task.layers[i]!,
    zeros: zeroFraction,
    dead: deadUnits.length,
    units: unitActivity.length,
  }));
}
