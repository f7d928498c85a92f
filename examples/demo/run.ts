import type { Io, Target } from '@frugal/example-support';
import { treeDispose } from '@frugal/tensor';
import { costChapter } from './chapters/cost.ts';
import { cutChapter } from './chapters/cut.ts';
import { exitsChapter } from './chapters/exits.ts';
import { forwardChapter } from './chapters/forward.ts';
import { probeChapter } from './chapters/probe.ts';
import { trainChapter } from './chapters/train.ts';
import type { Chapter, DemoOptions, Story } from './story.ts';

const chapters: readonly Chapter[] = [
  probeChapter,
  trainChapter,
  exitsChapter,
  cutChapter,
  forwardChapter,
  costChapter,
];

/** The whole story on one screen: what it takes to learn to read digits, and what it costs. */
export async function runDemo(options: DemoOptions, io: Io): Promise<readonly Target[]> {
  const start = performance.now();
  const backend = await io.start(options.backend);
  const mnist = await io.mnist();
  const started = (performance.now() - start) / 1000;
  const setup = io.setupSeconds === undefined ? '' : `set-up ${io.setupSeconds.toFixed(1)} s, `;
  io.print(io.paint('Frugal: neural networks that cost less, in TypeScript', 'bright'));
  io.print(io.paint(`${setup}backend and data ${started.toFixed(1)} s. ${backend.name}: ${backend.reason}`, 'faint'));

  const story: Story = { options, io, backend, mnist, targets: [], costs: new Map(), savings: new Map(), ledger: [] };
  for (const chapter of chapters) await chapter(story);
  if (story.trained !== undefined) treeDispose(story.trained.params);
  return story.targets;
}
