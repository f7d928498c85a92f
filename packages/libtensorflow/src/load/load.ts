import { createRequire } from 'node:module';
import { join } from 'node:path';
import { chooseInstallation, type Installation } from '../cache/installation.ts';
import { findTfjsNode } from './find-tfjs-node.ts';
import { answerWith } from './hook.ts';
import { warnOfCpu } from './warn.ts';

/** Which TensorFlow to load, and for which tfjs-node. */
export interface LoadOptions {
  /** TensorFlow's version, such as `'2.21.0'`. Default: `FRUGAL_LIBTF_VERSION`, else the newest that is set up. */
  readonly version?: string;
  /** A GPU build (true) or a CPU build (false). Default: a GPU build if one is set up. */
  readonly gpu?: boolean;
  /** Folder of the program whose tfjs-node is loaded. Default: the working directory. */
  readonly from?: string;
}

/** What was loaded. */
export interface Loaded {
  /** The module, as `require('@tensorflow/tfjs-node')` gives it. */
  readonly module: TfjsNodeModule;
  /** Which package it is. */
  readonly package: string;
  readonly installation: Installation;
}

/** tfjs-node's module: all of `@tensorflow/tfjs`, and `node` and `io` of its own. */
export type TfjsNodeModule = typeof import('@tensorflow/tfjs-core') & {
  readonly node: Record<string, (...args: never[]) => unknown>;
  readonly version: Readonly<Record<string, string>>;
};

let loaded: Loaded | undefined;

/**
 * Loads the whole tfjs-node module with the TensorFlow that `npx @frugal/libtensorflow` has set up.
 *
 * It registers and starts the backend 'tensorflow' with stock kernels; `useBackend(tensorflow())` adds ours. Once loaded,
 * `require` and `import` of tfjs-node give the same module. A process has one TensorFlow: later calls return the first.
 * A GPU build that computes on the CPU emits a warning (`FRUGAL_NO_GPU`) that says what is missing.
 *
 * @throws {LibtensorflowError} `NO_TFJS_NODE`, `NOT_SET_UP`, `DAMAGED`.
 */
export function load(options: LoadOptions = {}): TfjsNodeModule {
  const { module, installation } = loadTensorflow(options);
  warnOfCpu(installation);
  return module;
}

/** As `load`, with where it came from. */
export function loadTensorflow({ version, gpu, from = process.cwd() }: LoadOptions = {}): Loaded {
  if (loaded !== undefined) return loaded;
  const installation = chooseInstallation({ version, gpu });
  const { package: name, folder } = findTfjsNode(from, installation.gpu);
  quieten();
  const stop = answerWith(() => installation.binding);
  try {
    const module = createRequire(join(folder, 'package.json'))(folder) as TfjsNodeModule;
    loaded = { module, package: name, installation };
    return loaded;
  } finally {
    stop();
  }
}

/** TensorFlow's chatter about what it found; errors still show. Read when the library is loaded. */
export function quieten(): void {
  process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2';
}
