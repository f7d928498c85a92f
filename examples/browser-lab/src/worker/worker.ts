import * as tf from '@tensorflow/tfjs-core';
import type { Config } from '../config.ts';
import type { Order, Report } from '../protocol.ts';
import { startBackend } from './backend.ts';
import { setHome } from './home.ts';
import { Session } from './session.ts';
import type { MakeTask } from './task.ts';

const makers: Record<Config['task'], () => Promise<MakeTask>> = {
  spirals: async () => (await import('./tasks/spirals.ts')).spiralsTask,
  mnist: async () => (await import('./tasks/mnist.ts')).mnistTask,
  patches: async () => (await import('./tasks/patches.ts')).patchesTask,
  ala: async () => (await import('./tasks/ala.ts')).alaTask,
  text: async () => (await import('./tasks/text.ts')).textTask,
};

const tell = (report: Report): void => postMessage(report);

let session: Session | undefined;

async function start(config: Config, resume: boolean, weights?: Uint8Array): Promise<void> {
  const { name, reason, details } = await startBackend(config.backend);
  const threads = details.threads === undefined ? '' : `${details.threads} thread${details.threads === 1 ? '' : 's'}`;
  tell({ type: 'backend', name, reason, threads });
  const make = await makers[config.task]();
  const knobs = { rate: config.rate, sure: config.sure, cut: config.cut };
  session?.dispose();
  session = new Session(await make(config, knobs), config, knobs, tell);
  await session.train(resume, weights);
}

/** A run that loses its device starts again from its last checkpoint, once a loss. */
async function startSafely(config: Config, resume: boolean, weights?: Uint8Array): Promise<void> {
  try {
    await start(config, resume, weights);
  } catch (error) {
    if ((error as { code?: string }).code !== 'DEVICE_LOST') throw error;
    tell({ type: 'note', message: 'The GPU was lost; the run goes on from its last checkpoint.' });
    await startSafely(config, true);
  }
}

addEventListener('message', ({ data }: MessageEvent<Order>) => {
  switch (data.type) {
    case 'start':
      setHome(data.home);
      startSafely(data.config, data.resume, data.weights).catch((error: Error) =>
        tell({ type: 'failed', message: error.message }),
      );
      break;
    case 'pause':
      session?.pause();
      break;
    case 'knobs':
      session?.turn(data.knobs);
      break;
    case 'ask':
      if (session !== undefined) session.ask(data.id, data.question);
      else tell({ type: 'answer', id: data.id, answer: undefined, error: 'The run has not begun yet.' });
  }
});

// For the console: what runs, in its own words.
Object.assign(globalThis, { lab: { tf } });
