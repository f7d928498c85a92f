// Gzipped size of every entry point without tfjs, as a bundler sees it; limits a little above what they are today.
import { readdirSync, readFileSync } from 'node:fs';

const limits = {
  '@frugal/core-trainer': '36 kB',
  '@frugal/core-trainer/layers': '14 kB',
  '@frugal/core-trainer/node': '5 kB',
  '@frugal/core-trainer/testing': '11 kB',
  '@frugal/datasets': '9 kB',
  '@frugal/datasets/node': '2.5 kB',
  '@frugal/early-exit': '30 kB',
  '@frugal/early-exit/testing': '1 kB',
  '@frugal/forward-grad': '32 kB',
  '@frugal/forward-grad/layers': '32 kB',
  '@frugal/libtensorflow': '40 kB',
  '@frugal/libtensorflow/register': '8 kB',
  '@frugal/lr-probe': '45 kB',
  '@frugal/lr-probe/layers': '36 kB',
  '@frugal/moe': '32 kB',
  '@frugal/moe/testing': '32 kB',
  '@frugal/nn': '18 kB',
  '@frugal/nn/layers': '11 kB',
  '@frugal/sparsity-metrics': '52 kB',
  '@frugal/sparsity-metrics/layers': '6 kB',
  '@frugal/tensor': '60 kB',
  '@frugal/tensor/node': '15 kB',
  '@frugal/token-boost': '40 kB',
  '@frugal/token-boost/testing': '34 kB',
  '@frugal/wasm': '68 kB',
  '@frugal/webgpu': '36 kB',
};

const ignore = [
  '@tensorflow/tfjs-core',
  '@tensorflow/tfjs-core/*',
  '@tensorflow/tfjs-layers',
  '@tensorflow/tfjs-backend-cpu',
  '@tensorflow/tfjs-backend-wasm',
  '@tensorflow/tfjs-backend-wasm/*',
  '@tensorflow/tfjs-backend-webgpu',
  'webgpu',
  'cli-progress',
  'node:*',
];

const entries = readdirSync('packages').flatMap((folder) => {
  const { name, exports } = JSON.parse(readFileSync(`packages/${folder}/package.json`, 'utf8'));
  return Object.entries(exports)
    .filter(([path]) => path !== './package.json')
    .map(([path, target]) => ({ name: name + path.slice(1), path: `packages/${folder}/${target.default}` }));
});

const forgotten = entries.filter(({ name }) => limits[name] === undefined);
if (forgotten.length > 0)
  throw new Error(`.size-limit.js has no limit for ${forgotten.map(({ name }) => name).join(', ')}.`);

export default [
  { name: 'train, adamw, backprop, useBackend, meter', path: 'tests/size/loop.js', limit: '30 kB', gzip: true, ignore },
  ...entries.map((entry) => ({ ...entry, limit: limits[entry.name], gzip: true, ignore })),
];
