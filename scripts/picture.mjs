// Draws a program's output as an SVG of a terminal: npm run -s demo | node scripts/picture.mjs > docs/demo.svg
import { text } from 'node:stream/consumers';

const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g');
const lines = (await text(process.stdin)).replace(ESCAPES, '').trimEnd().split('\n');
const [advance, leading, margin] = [8.4, 20, 20];
const width = Math.ceil(Math.max(...lines.map((line) => [...line].length)) * advance + 2 * margin);
const height = lines.length * leading + 2 * margin;
const escaped = (line) => line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll(' ', '\u00a0');
const rows = lines.map((line, i) => `  <text x="${margin}" y="${margin + 14 + i * leading}">${escaped(line)}</text>`);
console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" xml:space="preserve" role="img" aria-label="Output of the demo in a terminal">
  <style>text { font: 14px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #e6edf3 }</style>
  <rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${rows.join('\n')}
</svg>`);
