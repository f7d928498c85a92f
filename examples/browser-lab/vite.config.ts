import { createReadStream, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { readMnist, readMobyDick } from '@frugal/datasets/node';
import type { InlineConfig, Plugin } from 'vite';

const here = dirname(fileURLToPath(import.meta.url));
const binaries = dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));

/** Scripts come from here only, and nothing is sent anywhere. */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval' blob:",
  "worker-src 'self' blob:",
  // The style that Observable Plot puts into its pictures.
  "style-src 'self' 'sha256-jSYQUrW7J0b3jPqhZP9C2Xh1PyJKHKXd4s0fpGGKrww='",
  "img-src 'self' data: blob:",
  "connect-src 'self' blob: data:",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** Threads need an isolated page. */
const headers: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Content-Security-Policy': `${policy}; frame-ancestors 'none'`,
};

/** Images that the page learns from and is tested on, and characters of the book: small enough for a phone. */
const [LEARN, TEST, CHARACTERS] = [10_000, 2000, 300_000];

function idx(bytes: Uint8Array, sizes: readonly number[]): Buffer {
  const head = Buffer.alloc(4 + 4 * sizes.length);
  head.set([0, 0, 8, sizes.length]);
  for (const [i, size] of sizes.entries()) head.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([head, bytes]);
}

async function data(): Promise<Record<string, Buffer>> {
  const [{ train, test }, book] = await Promise.all([readMnist(), readMobyDick()]);
  const zip = async (bytes: Buffer): Promise<Buffer> => promisify(gzip)(bytes);
  const begin = book.indexOf('Call me Ishmael');
  return {
    'data/learn-images.gz': await zip(idx(train.x.subarray(0, LEARN * 784), [LEARN, 28, 28])),
    'data/learn-labels.gz': await zip(idx(train.y.subarray(0, LEARN), [LEARN])),
    'data/test-images.gz': await zip(idx(test.x.subarray(0, TEST * 784), [TEST, 28, 28])),
    'data/test-labels.gz': await zip(idx(test.y.subarray(0, TEST), [TEST])),
    'data/book.txt.gz': await zip(Buffer.from(book.slice(begin, begin + CHARACTERS))),
    // All of MNIST, for the examples; it is fetched when one of them asks for it.
    'data/mnist/train-images-idx3-ubyte.gz': await zip(idx(train.x, [train.size, 28, 28])),
    'data/mnist/train-labels-idx1-ubyte.gz': await zip(idx(train.y, [train.size])),
    'data/mnist/t10k-images-idx3-ubyte.gz': await zip(idx(test.x, [test.size, 28, 28])),
    'data/mnist/t10k-labels-idx1-ubyte.gz': await zip(idx(test.y, [test.size])),
  };
}

const wasmFiles = ['', '-simd', '-threaded-simd'].map((variant) => `tfjs-backend-wasm${variant}.wasm`);

/** Serves the data and tfjs's binaries while developing, and puts them into the static folder. */
function assets(): Plugin {
  let files: ReturnType<typeof data> | undefined;
  return {
    name: 'lab-assets',
    configureServer(server) {
      server.middlewares.use(async (request, response, next) => {
        const path = request.url!.split('?')[0]!.slice(1);
        if (path.startsWith('wasm/') && wasmFiles.includes(path.slice(5))) {
          response.setHeader('Content-Type', 'application/wasm');
          return void createReadStream(join(binaries, path.slice(5))).pipe(response);
        }
        files ??= data();
        const found = path.startsWith('data/') ? (await files)[path] : undefined;
        if (found === undefined) return next();
        response.end(found);
      });
    },
    // For hosts that send no headers. While developing, the server sends them.
    transformIndexHtml: {
      order: 'post',
      handler: (_, { server }) =>
        server === undefined
          ? [
              {
                tag: 'meta',
                attrs: { 'http-equiv': 'Content-Security-Policy', content: policy },
                injectTo: 'head-prepend',
              },
            ]
          : [],
    },
    async generateBundle(_, bundle) {
      const files = await data();
      for (const [fileName, source] of Object.entries(files)) this.emitFile({ type: 'asset', fileName, source });
      for (const name of wasmFiles) {
        this.emitFile({ type: 'asset', fileName: `wasm/${name}`, source: readFileSync(join(binaries, name)) });
      }
      const scripts = Object.keys(bundle).filter((name) => name.startsWith('assets/'));
      const own = Object.keys(files).filter((name) => !name.startsWith('data/mnist/'));
      const all = ['./', 'index.html', 'examples.html', ...wasmFiles.map((name) => `wasm/${name}`), ...scripts, ...own];
      this.emitFile({ type: 'asset', fileName: 'files.json', source: JSON.stringify(all) });
    },
  };
}

/** The lab, from the sources of the packages. */
export const config: InlineConfig = {
  root: here,
  configFile: false,
  base: './',
  resolve: { conditions: ['@frugal/source', 'module', 'browser', 'development|production'] },
  worker: { format: 'es' },
  plugins: [assets()],
  build: {
    target: 'es2023',
    outDir: 'dist',
    emptyOutDir: true,
    chunkSizeWarningLimit: 2000,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: ['index.html', 'examples.html'].map((page) => join(here, page)),
      checks: { pluginTimings: false },
    },
  },
  server: { headers },
  preview: { headers },
  logLevel: 'warn',
};
