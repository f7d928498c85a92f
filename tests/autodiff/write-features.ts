// Rewrites the table of docs/autodiff.md: npx tsx --conditions=@frugal/source tests/autodiff/write-features.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { withTable } from './features.ts';

const page = new URL('../../docs/autodiff.md', import.meta.url);
writeFileSync(page, withTable(readFileSync(page, 'utf8')));
