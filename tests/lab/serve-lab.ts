import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { config } from '@frugal/example-browser-lab';
import { build, preview } from 'vite';

/** The lab as visitors get it. */
export interface ServedLab {
  readonly url: string;
  /** What was built. */
  readonly folder: string;
  close(): Promise<void>;
}

/** Builds the lab into a folder of its own, for suites run side by side, and serves it. */
export async function serveLab(): Promise<ServedLab> {
  const folder = await mkdtemp(join(tmpdir(), 'frugal-lab-'));
  const apart = { ...config, build: { ...config.build, outDir: folder }, preview: { ...config.preview, port: 0 } };
  await build(apart);
  const server = await preview(apart);
  return {
    url: server.resolvedUrls!.local[0]!,
    folder,
    async close() {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}
