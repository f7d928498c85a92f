import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageNames, readReadme, root } from '@frugal/test-support';
import { describe, expect, it } from 'vitest';

interface Manifest {
  type: string;
  sideEffects: boolean;
  dependencies?: Record<string, string>;
  peerDependencies: Record<string, string>;
}

/** What each package may depend on inside the workspace, DESIGN's dependency rule. */
const allowed = (name: string): string[] =>
  name === 'tensor' ? [] : name === 'nn' ? ['@frugal/tensor'] : ['@frugal/tensor', '@frugal/nn'];

describe.each(packageNames())('package %s', (name) => {
  const manifest = JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')) as Manifest;

  it('has the shape of the house', () => {
    expect(manifest).toMatchObject({ type: 'module', sideEffects: false });
    expect(manifest.peerDependencies).toHaveProperty('@tensorflow/tfjs-core');
    expect(existsSync(join(root, 'packages', name, 'README.md')), 'README.md').toBe(true);
    const { install, snippets } = readReadme(join('packages', name));
    expect(install).toContain(`@frugal/${name}`);
    expect(snippets.length).toBeGreaterThan(0);
  });

  it('keeps the dependency rule', () => {
    const inside = Object.keys(manifest.dependencies ?? {}).filter((dependency) => dependency.startsWith('@frugal/'));
    expect(inside.filter((dependency) => !allowed(name).includes(dependency))).toEqual([]);
  });
});
