import Module from 'node:module';
import util from 'node:util';

type Load = (request: string, parent: { filename?: string | null } | undefined, isMain: boolean) => unknown;

/** tfjs-node's files; of these `index.js` asks where its binding is. */
const OURS = /[\\/]@tensorflow[\\/]tfjs-node(-gpu)?[\\/]dist[\\/](.+)$/;

/**
 * Node's util as tfjs-node knows it: it calls these two at every operation; Node 22 warns of them, Node 23 dropped the
 * first. Nobody else's util is touched.
 */
const oldUtil: object = Object.assign(Object.create(util) as object, {
  isNullOrUndefined: (value: unknown): boolean => value === null || value === undefined,
  isArray: Array.isArray,
});

/**
 * Answers tfjs-node's question for its binding from now on, without a file in `node_modules`, and gives it a util that
 * has what it calls.
 *
 * @param binding Called when the question comes.
 * @returns What ends it.
 */
export function answerWith(binding: () => string): () => void {
  const module = Module as unknown as { _load: Load };
  const load = module._load;
  const answering: Load = function (this: unknown, request, parent, isMain) {
    const file = OURS.exec(parent?.filename ?? '')?.[2];
    if (file === 'index.js' && request === '@mapbox/node-pre-gyp') return { find: binding };
    if (file !== undefined && request === 'util') return oldUtil;
    return load.call(this, request, parent, isMain);
  };
  module._load = answering;
  return () => {
    if (module._load === answering) module._load = load;
  };
}
