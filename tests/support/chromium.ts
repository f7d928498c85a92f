import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, mkdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';
import { root } from './readme.ts';

/** A headless Chromium from npm, with SwiftShader: a Vulkan driver that calculates on the CPU, and Vulkan's loader. */
export interface Chromium {
  readonly executablePath: string;
  /** The folder with `libvulkan.so.1` and the driver's manifest, for Dawn in Node. */
  readonly vulkan: string;
  /** For a launch: libraries that a bare machine lacks. */
  readonly env: Record<string, string>;
  /** Flags that give WebGPU on SwiftShader. */
  readonly args: readonly string[];
}

/** Where npm's Chromium can run. */
export const hasChromium: boolean = process.platform === 'linux' && process.arch === 'x64';

const manifest = createRequire(import.meta.url).resolve('@sparticuz/chromium');
const packed = join(manifest.slice(0, manifest.lastIndexOf('/build/') + 1), 'bin');

async function untar(name: string, to: string): Promise<void> {
  const tar = spawn('tar', ['-x', '-C', to], { stdio: ['pipe', 'inherit', 'inherit'] });
  const unpacking = pipeline(createReadStream(join(packed, name)), createBrotliDecompress(), tar.stdin);
  const [, [code]] = await Promise.all([
    // tar may leave at the end mark, before it was sent the padding behind it; its exit code says whether all went well.
    unpacking.catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE' && error.code !== 'EPIPE') throw error;
    }),
    once(tar, 'close') as Promise<[number]>,
  ]);
  if (code !== 0) throw new Error(`tar left with ${code} on ${name}.`);
}

/** Unpacks Chromium into the cache of the workspace, once; processes that race end up with one whole folder. */
export async function chromium(): Promise<Chromium> {
  const { version } = createRequire(import.meta.url)(`${dirname(packed)}/package.json`) as { version: string };
  const folder = join(root, 'node_modules/.cache/frugal', `chromium-${version}`);
  if (!existsSync(folder)) {
    const half = `${folder}-${process.pid}`;
    await mkdir(half, { recursive: true });
    await Promise.all([
      pipeline(
        createReadStream(join(packed, 'chromium.br')),
        createBrotliDecompress(),
        createWriteStream(join(half, 'chromium')),
      ),
      ...['swiftshader.tar.br', 'fonts.tar.br', 'al2023.tar.br'].map((name) => untar(name, half)),
    ]);
    await chmod(join(half, 'chromium'), 0o755);
    await rename(half, folder).catch(() => rm(half, { recursive: true }));
  }
  return {
    executablePath: join(folder, 'chromium'),
    vulkan: folder,
    env: { ...(process.env as Record<string, string>), LD_LIBRARY_PATH: join(folder, 'lib') },
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
  };
}

/** What tests need of a browser. */
interface Closable {
  isConnected(): boolean;
  close(): Promise<void>;
}

/** A browser that starts with its first use, and anew where Chromium itself has crashed, as it does now and then. */
export function keepBrowser<B extends Closable>(
  launch: () => Promise<B>,
): { open(): Promise<B>; close(): Promise<void> } {
  let browser: B | undefined;
  return {
    async open() {
      if (!browser?.isConnected()) browser = await launch();
      return browser;
    },
    async close() {
      await browser?.close();
    },
  };
}
