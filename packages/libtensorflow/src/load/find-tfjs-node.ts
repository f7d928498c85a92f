import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LibtensorflowError } from '../errors.ts';

/** tfjs-node or tfjs-node-gpu as installed: they differ in nothing but their name. */
export interface TfjsNode {
  readonly package: string;
  readonly version: string;
  readonly folder: string;
}

const here = dirname(fileURLToPath(import.meta.url));

/** A package's manifest in a `node_modules` above a folder; NODE_PATH, which package managers set, does not count. */
function manifestOf(place: string, name: string): string | undefined {
  if (process.versions['pnp'] !== undefined) {
    try {
      return createRequire(join(place, 'any.js')).resolve(`${name}/package.json`);
    } catch {
      return undefined;
    }
  }
  for (let at = place; ; at = dirname(at)) {
    const manifest = join(at, 'node_modules', name, 'package.json');
    if (existsSync(manifest)) return realpathSync(manifest);
    if (at === dirname(at)) return undefined;
  }
}

/**
 * Finds tfjs-node beside the user's program, else beside this package.
 *
 * @param from The program's folder.
 * @param gpu Prefers tfjs-node-gpu.
 * @param beside Where it is looked for next; this package's folder if left out.
 * @throws {LibtensorflowError} `NO_TFJS_NODE`.
 */
export function findTfjsNode(from: string, gpu: boolean, beside: string = here): TfjsNode {
  const names = ['@tensorflow/tfjs-node', '@tensorflow/tfjs-node-gpu'];
  if (gpu) names.reverse();
  for (const place of [resolve(from), beside]) {
    for (const name of names) {
      const manifest = manifestOf(place, name);
      if (manifest === undefined) continue;
      const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
      return { package: name, version, folder: dirname(manifest) };
    }
  }
  throw new LibtensorflowError(
    'NO_TFJS_NODE',
    `Neither @tensorflow/tfjs-node nor @tensorflow/tfjs-node-gpu is installed beside ${resolve(from)}.`,
    `Run 'npm install --ignore-scripts ${names[0]}' (its own install script would fetch TensorFlow 2.9).`,
  );
}
