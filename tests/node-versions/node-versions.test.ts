import { spawnSync } from 'node:child_process';
import { root } from '@frugal/test-support';
import { describe, expect, it } from 'vitest';
import { nodeBinary, otherVersions, untried } from './binary.ts';

describe.skipIf(untried !== undefined)(`other Node versions${untried === undefined ? '' : ` [${untried}]`}`, () => {
  it.each(otherVersions)('Node %s trains, resumes, differentiates and reads safetensors', (version) => {
    const { status, stdout, stderr } = spawnSync(nodeBinary(version), ['tests/node-versions/smoke.mjs'], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(status, `${stdout}\n${stderr}`).toBe(0);
    expect(stdout).toContain(`v${version}`);
  });
});
