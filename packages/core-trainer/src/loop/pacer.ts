const now = (): number => performance.now();

/** Lets everything else that waits in this thread have its turn: timers, input, painting, network. */
function macrotask(): Promise<void> {
  // Timers are clamped to 4 ms in pages; setImmediate (Node) and messages are not.
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}

/**
 * Yields to the event loop every `interval` milliseconds of work, so that a page stays alive.
 *
 * @returns To be called after each step: a promise to await where a pause is due.
 */
export function createPacer(interval: number): () => Promise<void> | undefined {
  let last = now();
  return () => {
    if (now() - last < interval) return undefined;
    return macrotask().then(() => {
      last = now();
    });
  };
}
