import type { Tree } from '@frugal/tensor';
import { treeEntries } from '@frugal/tensor';
import { joinPath, type LinearNode, type Link } from './chain.ts';
import { type KeptUnits, weightOf } from './units.ts';

interface Weights {
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number> | undefined;
}

async function read(params: Tree, node: LinearNode): Promise<Weights> {
  const bias = treeEntries(params).find(([path]) => path === joinPath(node.path, 'bias'))?.[1];
  const [weight, offset] = await Promise.all([weightOf(params, node).data(), bias?.data()]);
  return { weight: weight as Float32Array, bias: offset as Float32Array | undefined };
}

/**
 * The units that stay when those go that change nothing: always zero, as no weight leads in and the bias is zero, or read by
 * nobody, as no weight leads out.
 *
 * What one removal makes unreachable goes too. A layer keeps at least one unit.
 */
export async function removableUnits(links: readonly Link[], params: Tree): Promise<KeptUnits> {
  const nodes = new Map(links.flatMap(({ from, to }) => [from, to]).map((node) => [node.path, node]));
  const weights = new Map(
    await Promise.all([...nodes].map(async ([path, node]) => [path, await read(params, node)] as const)),
  );
  const alive = new Map([...nodes].map(([path, { units }]) => [path, new Uint8Array(units).fill(1)]));
  // Which links feed a layer: its inputs that are cut count no longer.
  const feeding = new Map(links.map((link) => [link.to.path, link]));

  const live = (path: string, input: number): boolean => {
    const link = feeding.get(path);
    return link === undefined || alive.get(link.from.path)![input % link.from.units] === 1;
  };
  /** Whether a living weight leads into each unit, and out of each input, of a layer. */
  const connected = (node: LinearNode): { into: Uint8Array; outOf: Uint8Array } => {
    const { weight, bias } = weights.get(node.path)!;
    const into = Uint8Array.from({ length: node.units }, (_, unit) => (bias !== undefined && bias[unit] !== 0 ? 1 : 0));
    const outOf = new Uint8Array(node.inputs);
    for (let i = 0; i < weight.length; i++) {
      if (weight[i] === 0) continue;
      const [unit, input] = [i % node.units, Math.floor(i / node.units) % node.inputs];
      if (alive.get(node.path)![unit] === 0 || !live(node.path, input)) continue;
      into[unit] = 1;
      outOf[input] = 1;
    }
    return { into, outOf };
  };

  for (let changed = true; changed; ) {
    changed = false;
    for (const { from, to } of links) {
      const { into } = connected(from);
      const { outOf } = connected(to);
      const read = new Uint8Array(from.units);
      for (const [input, used] of outOf.entries()) read[input % from.units]! |= used;
      const units = alive.get(from.path)!;
      const left = units.reduce((sum, one) => sum + one, 0);
      const gone = Array.from(units.keys()).filter(
        (unit) => units[unit] === 1 && (into[unit] === 0 || read[unit] === 0),
      );
      for (const unit of gone.length === left ? gone.slice(1) : gone) {
        units[unit] = 0;
        changed = true;
      }
    }
  }
  return Object.fromEntries(
    links.map(({ from }) => [
      from.path,
      Array.from(alive.get(from.path)!.keys()).filter((unit) => alive.get(from.path)![unit] === 1),
    ]),
  );
}
