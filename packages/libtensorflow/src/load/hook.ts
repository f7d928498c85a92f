import Module from 'node:module';
import util from 'node:util';

type Load = (request: string, parent: { filename?: string | null } | undefined, isMain: boolean) => unknown;

/** tfjs-node's file that asks where its binding is. */
const ASKING = /[\\/]@tensorflow[\\/]tfjs-node(-gpu)?[\\/]dist[\\/]index\.js$/;

/** tfjs-node calls these at every operation; Node 23 dropped the first. */
function mendUtil(): void {
  const old = util as unknown as Record<string, unknown>;
  old['isNullOrUndefined'] ??= (value: unknown) => value === null || value === undefined;
  old['isArray'] ??= Array.isArray;
}

/**
 * Answers tfjs-node's question for its binding from now on, without a file in `node_modules`.
 *
 * @param binding Called when the question comes.
 * @returns What ends it.
 */
export function answerWith(binding: () => string): () => void {
  mendUtil();
  const module = Module as unknown as { _load: Load };
  const load = module._load;
  const answering: Load = function (this: unknown, request, parent, isMain) {
    if (request === '@mapbox/node-pre-gyp' && ASKING.test(parent?.filename ?? '')) return { find: binding };
    return load.call(this, request, parent, isMain);
  };
  module._load = answering;
  return () => {
    if (module._load === answering) module._load = load;
  };
}
