// Runs in the archive of runs/gpu-card.sh: conformance on the card, then the figures, written as gpu-CARD.json.
import { join } from 'node:path';
import { suites } from 'portable:suites';
import { readMnist } from '@frugal/datasets/node';
import { useBackend } from '@frugal/tensor';
import { webgpu } from '@frugal/webgpu';
import { testOn } from '../../tests/portable/backends.ts';
import { runSuites } from '../../tests/portable/run.ts';
import { finish } from '../harness.ts';
import { gpuFigures } from '../support/gpu-figures.ts';
import { startTorchOnCard } from '../support/torch.ts';

const here = join(import.meta.dirname, '..');
const allowCpu = process.argv.includes('--allow-cpu');
const provider = webgpu({ adapter: allowCpu ? 'any' : 'hardware', vulkan: join(here, 'vulkan') });

const report = await provider.describe();
if (process.argv.includes('--find')) {
  console.log(`${report.reason}${report.fix === undefined ? '' : ` ${report.fix}`}`);
  process.exit(report.available ? 0 : 1);
}

const { details, reason } = await useBackend(provider);
if (!allowCpu && details['software'] !== false) throw new Error(`This is no card: ${reason}`);
console.log(`${reason}\n${JSON.stringify(details)}\n`);

testOn(provider);
const outcome = await runSuites(suites, (path, { passed, failed, skipped }) => {
  console.log(
    `${failed.length === 0 ? '✓' : '✗'} ${path}: ${passed} passed, ${failed.length} failed, ${skipped} skipped`,
  );
});
for (const { test, message } of outcome.failed) console.log(`  ✗ ${test}\n    ${message.split('\n')[0]}`);
if (outcome.passed === 0) throw new Error('No test has run.');

const python = process.env['FRUGAL_TORCH_PYTHON'] ?? 'python3';
const torch = await startTorchOnCard(python);
console.log('error' in torch ? `\nWithout PyTorch: ${torch.error}\n` : `\n${torch.name}\n`);
// The last device was lost on purpose, and what is small may be calculated on the host again, as for users.
await useBackend(provider);
const { env } = await import('@tensorflow/tfjs-core');
env().set('WEBGPU_CPU_FORWARD', true);
const figures = await gpuFigures(await readMnist({ folder: join(here, 'data') }), 'error' in torch ? undefined : torch);
if (!('error' in torch)) torch.close();

const card = String(details['adapter'])
  .toLowerCase()
  .replace(/[^a-z0-9]+/g, '-')
  .replace(/^-|-$/g, '');
const conformance = { conformance_passed: outcome.passed, conformance_failed: outcome.failed.length };
finish(`gpu-${card}`, { ...conformance, ...figures }, 'benchmarks', 'sh runs/gpu-card.sh');
process.exit(outcome.failed.length === 0 ? 0 : 1);
