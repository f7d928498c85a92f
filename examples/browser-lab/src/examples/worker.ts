import { fetchMnist, fetchText } from '@frugal/datasets';
import type { Io } from '@frugal/example-support';
import type { Config } from '../config.ts';
import { startBackend } from '../worker/backend.ts';
import { atHome, setHome } from '../worker/home.ts';
import { examples } from './list.ts';
import type { RunExample, Word } from './protocol.ts';

const tell = (word: Word): void => postMessage(word);

/** A page, as an example sees it. */
function pageIo(live: boolean): Io {
  return {
    live,
    energy: {},
    start: (name) => startBackend(name as Config['backend']),
    print: (text) => tell({ type: 'print', text }),
    frame: (text) => tell({ type: live ? 'frame' : 'print', text }),
    paint: (text) => text,
    pause: (ms) => (live ? new Promise((resolve) => setTimeout(resolve, ms)) : Promise.resolve()),
    progress: () => async (events) => {
      let [total, shown] = [0, 0];
      for await (const event of events) {
        if (event.type === 'start') total = event.totalSteps ?? 0;
        if (event.type !== 'step' || event.loss === undefined || performance.now() - shown < 100) continue;
        shown = performance.now();
        tell({ type: 'status', text: `step ${event.step + 1} of ${total}, loss ${event.loss.toFixed(4)}` });
      }
    },
    mnist: () => fetchMnist(atHome('data/mnist/'), { suffix: '.gz' }),
    book: () => fetchText(atHome('data/book.txt.gz')),
    save: async (name, text) => {
      tell({ type: 'file', name, text });
      return name;
    },
  };
}

addEventListener('message', async ({ data }: MessageEvent<RunExample>) => {
  setHome(data.home);
  try {
    const run = await examples[data.name]!.load();
    tell({ type: 'done', targets: await run(data.options, pageIo(data.live)) });
  } catch (error) {
    tell({ type: 'failed', message: (error as Error).message });
  }
});
