// The real thing, where it is set up: programs of every kind in processes of their own.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { listInstallations } from '../cache/installation.ts';
import { write } from '../testing/fakes.ts';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));
const register = join(dist, 'register.js');
// As installed: a program with a loader of its own (tsx) takes other ways.
const built = existsSync(register);
const present = built && listInstallations().some(({ damage }) => damage === undefined);
const why = built ? 'it is not set up' : 'dist is not built';
vi.setConfig({ testTimeout: 120_000 });

/** Runs a program in this package's folder, whose tfjs-node it finds. */
function run(name: string, text: string, args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  const file = write(join(dist, '../node_modules/.cache'), name, text);
  return spawnSync(process.execPath, [...args, file], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  });
}

const COMPUTE = 'console.log(tf.getBackend(), ...tf.matMul(tf.ones([2, 3]), tf.ones([3, 1])).dataSync());';

describe.skipIf(!present)(`with TensorFlow${present ? '' : ` [${why}]`}`, () => {
  it('load gives the module, and later requires the same one', () => {
    const { stdout, stderr } = run(
      'load.mjs',
      `import { load } from ${JSON.stringify(join(dist, 'index.js'))};
       import { createRequire } from 'node:module';
       import util from 'node:util';
       const before = util.isNullOrUndefined;
       const tf = load(); ${COMPUTE}
       console.log(typeof tf.node.tensorBoard, tf === createRequire(import.meta.url)('@tensorflow/tfjs-node'), load() === tf, util.isNullOrUndefined === before);`,
    );
    expect(stdout, stderr).toBe('tensorflow 3 3\nfunction true true true\n');
  });

  it.each([
    ['a program of modules', 'app.mjs', `import * as tf from '@tensorflow/tfjs-node'; ${COMPUTE}`],
    ['a CommonJS program', 'app.cjs', `const tf = require('@tensorflow/tfjs-node'); ${COMPUTE}`],
    ['a program for tfjs-node-gpu', 'gpu.cjs', `const tf = require('@tensorflow/tfjs-node-gpu'); ${COMPUTE}`],
  ])('register serves %s', (_, name, text) => {
    const { stdout, stderr } = run(name, text, ['--require', register]);
    expect(stdout, stderr).toBe('tensorflow 3 3\n');
  });
});

it.skipIf(!built)('a program without a set-up is told what to run', () => {
  const FRUGAL_LIBTF_CACHE = mkdtempSync(join(tmpdir(), 'frugal-empty-'));
  const text = "const tf = require('@tensorflow/tfjs-node');";
  const { stderr, status } = run('none.cjs', text, ['--require', register], { FRUGAL_LIBTF_CACHE });
  expect(stderr).toMatch(/TensorFlow is not set up in .*frugal-empty.*Run 'npx @frugal\/libtensorflow'/);
  expect(status).toBe(1);
});
