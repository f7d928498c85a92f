// @frugal/libtensorflow on every Node that is promised, where it is set up: by 'auto', and for an unmodified program.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Installation, listInstallations } from '@frugal/libtensorflow';
import { root } from '@frugal/test-support';
import { afterAll, describe, expect, it } from 'vitest';
import { nodeBinary, otherVersions, untried } from './binary.ts';

const present: Installation | undefined = listInstallations().find(({ damage, gpu }) => damage === undefined && !gpu);
const others = untried === undefined ? otherVersions : [];

/** A folder whose programs find tfjs-node. */
const tfjsNode = join(root, 'packages/libtensorflow');

const run = (node: string, args: string[], env: NodeJS.ProcessEnv = {}, cwd = join(root, 'tests')) =>
  spawnSync(node, args, { cwd, encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '', ...env } });

describe.skipIf(present === undefined)(`TensorFlow${present === undefined ? ' [it is not set up]' : ''}`, () => {
  it.each([process.versions.node, ...others])(
    "Node %s: 'auto' takes it, says which and where, computes as cpu does and trains",
    (version) => {
      const { status, stdout, stderr } = run(nodeBinary(version), ['node-versions/tensorflow.mjs']);
      expect(status, `${stdout}\n${stderr}`).toBe(0);
      expect(stdout).toMatch(
        new RegExp(`^Node v${version}, tensorflow: TensorFlow ${present!.tensorflow} computes on the (CPU|GPU)`, 'm'),
      );
    },
  );

  // On our own version load.test.ts does it.
  it.each(others)('Node %s: an unmodified program of modules', (version) => {
    const register = join(root, 'packages/libtensorflow/dist/register.js');
    const folder = join(root, 'packages/libtensorflow/node_modules/.cache');
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `app-${version}.mjs`);
    writeFileSync(
      file,
      `import * as tf from '@tensorflow/tfjs-node';
       const model = tf.sequential({ layers: [tf.layers.dense({ units: 1, inputShape: [2] })] });
       model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
       await model.fit(tf.ones([8, 2]), tf.ones([8, 1]), { epochs: 2, verbose: 0 });
       await tf.topk(tf.tensor1d([1, 3, 2]), 2).values.data();
       console.log(process.version, tf.getBackend(), tf.matMul(tf.ones([2, 3]), tf.ones([3, 1])).dataSync().join());`,
    );
    const { stdout, stderr } = run(nodeBinary(version), ['--require', register, file]);
    expect(stdout, stderr).toContain(`v${version} tensorflow 3,3\n`);
    expect(stderr, 'functions that Node 22 warns of').not.toContain('DEP00');
  });
});

describe.skipIf(present === undefined || existsSync('/dev/nvidiactl'))('A GPU build without a GPU', () => {
  // The files of the CPU build, said to be one for GPUs; what is missing is found by asking the system.
  const FRUGAL_LIBTF_CACHE = mkdtempSync(join(tmpdir(), 'frugal-gpu-'));
  afterAll(() => rmSync(FRUGAL_LIBTF_CACHE, { recursive: true }));
  const missing =
    /TensorFlow [\d.]+ computes on the CPU\. The GPU is not used\. Missing: libcuda\.so\.1 \(the NVIDIA driver\), libcudart\.so\.12 \(nvidia-cuda-runtime-cu12\).* Install the NVIDIA driver.*Run 'npx @frugal\/libtensorflow --gpu --tf [\d.]+' again/;

  it('computes on the CPU and says exactly what is missing; doctor too', () => {
    const { folder, name } = present!;
    const at = join(FRUGAL_LIBTF_CACHE, `${name}-gpu`);
    mkdirSync(at);
    symlinkSync(join(folder, 'lib'), join(at, 'lib'));
    cpSync(join(folder, 'tfjs_binding.node'), join(at, 'tfjs_binding.node'));
    const manifest = JSON.parse(readFileSync(join(folder, 'installation.json'), 'utf8')) as object;
    writeFileSync(join(at, 'installation.json'), JSON.stringify({ ...manifest, gpu: true }));
    const trained = run(process.execPath, ['node-versions/tensorflow.mjs'], { FRUGAL_LIBTF_CACHE });
    expect(trained.status, trained.stderr).toBe(0);
    expect(trained.stdout).toMatch(missing);
    // Nobody has to read the reason: there is a warning, for unmodified programs too.
    const register = join(root, 'packages/libtensorflow/dist/register.js');
    const program = "require('@tensorflow/tfjs-node').add(1, 2).data().then(console.log)";
    const unmodified = run(process.execPath, ['--require', register, '-e', program], { FRUGAL_LIBTF_CACHE }, tfjsNode);
    expect(unmodified.stdout).toContain('3');
    for (const { stderr } of [trained, unmodified]) {
      expect(stderr).toMatch(new RegExp(`\\[FRUGAL_NO_GPU\\] Warning: ${missing.source}`));
    }
    const args = [join(root, 'packages/tensor/bin/tensor.mjs'), 'doctor', '--backend', 'tensorflow'];
    const { stdout, stderr } = run(process.execPath, args, { FRUGAL_LIBTF_CACHE });
    expect(stdout, stderr).toMatch(missing);
    expect(stdout).toMatch(
      /✓ tensorflow +[\d.e+]+ GFLOP\/s[\s\S]*trains dense, conv, embedding[\s\S]*'auto'\) takes tensorflow/,
    );
  });
});
