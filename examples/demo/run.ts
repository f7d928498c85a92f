import type { Io, Target } from '@frugal/example-support';
import { formatBytes, formatFlops, treeDispose } from '@frugal/tensor';
import { exitsChapter } from './chapters/exits.ts';
import { trainChapter } from './chapters/train.ts';
import type { Chapter, DemoOptions, Story } from './story.ts';

const chapters: readonly Chapter[] = [trainChapter, exitsChapter];

/** The whole story on one screen: what it takes to learn to read digits, and what it costs. */
export async function runDemo(options: DemoOptions, io: Io): Promise<readonly Target[]> {
  const start = performance.now();
  const backend = await io.start(options.backend);
  const mnist = await io.mnist();
  const started = (performance.now() - start) / 1000;
  const setup = io.setupSeconds === undefined ? '' : `set-up ${io.setupSeconds.toFixed(1)} s, `;
  io.print(io.paint('Frugal: neural networks that cost less, in TypeScript', 'bright'));
  io.print(io.paint(`${setup}backend and data ${started.toFixed(1)} s. ${backend.name}: ${backend.reason}`, 'faint'));

  const story: Story = { options, io, backend, mnist, targets: [], costs: new Map(), savings: new Map() };
  for (const chapter of chapters) await chapter(story);
  if (story.trained !== undefined) treeDispose(story.trained.params);

  io.print('\nWhat it cost');
  for (const [title, { flops, bytes, ms, energy }] of story.costs) {
    const about = energy.method === 'estimated' ? 'about ' : '';
    io.print(
      `  ${title.padEnd(10)} ${formatFlops(flops)}, ${formatBytes(bytes)} moved, ${(ms / 1000).toFixed(1)} s, ` +
        `${about}${energy.wattHours.toPrecision(2)} Wh, ${about}${energy.gramsCO2.toPrecision(2)} g CO2`,
    );
    io.print(io.paint(`  ${' '.repeat(10)} energy ${energy.method}: ${energy.source}`, 'faint'));
  }
  io.print('\nWhat it saved');
  for (const [title, saved] of story.savings) io.print(`  ${title.padEnd(10)} ${saved}`);
  return story.targets;
}
