// Compiles assembly/*.ts to wasm, once with plain SIMD and once with fused multiply-add, and embeds both as text in
// src/generated. Does nothing where the sources have not changed. `--force` compiles anyway, `--wat` keeps the text format.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { convTiles } from './conv-tiles.mjs';
import { tiles } from './tiles.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const assembly = join(here, '../assembly');
const output = join(here, '../src/generated');
const OP = /^export function op([A-Z]\w*)\(/gm;
const LIMIT = 40 * 1024;

const names = readdirSync(assembly)
  .filter((name) => name.endsWith('.ts'))
  .sort();
const sources = new Map(names.map((name) => [name, readFileSync(join(assembly, name), 'utf8')]));

/** Every `export function opXxx` of the sources, in order: its place is its number. */
const ops = [...sources].flatMap(([name, text]) =>
  [...text.matchAll(OP)].map((match) => ({ name: match[1], file: name.replace('.ts', '') })),
);

function dispatchSource() {
  const imports = ops.map(({ name, file }) => `import { op${name} } from './${file}';`);
  const cases = ops.map(({ name }, i) => `    case ${i}: op${name}(args, chunk, chunks, thread); break;`);
  return `${imports.join('\n')}
export function run(op: i32, args: usize, chunk: i32, chunks: i32, thread: i32): void {
  switch (op) {
${cases.join('\n')}
    default: unreachable();
  }
}
`;
}

const entry = `export { worker, alone, dispatch, finish } from './pool';
export { gemmScratch } from './gemm';
export { gemvScratch } from './gemv';
export { tangentScratch } from './tangent';
`;

async function compile(relaxed) {
  const { default: asc } = await import('assemblyscript/asc');
  const files = new Map([
    ...sources,
    ['index.ts', entry],
    ['dispatch.ts', dispatchSource()],
    ['tiles.ts', tiles({ relaxed })],
    ['conv-tiles.ts', convTiles({ relaxed })],
  ]);
  const written = new Map();
  const log = [];
  const write = (text) => log.push(text);
  const { error } = await asc.main(
    [
      ...['index.ts', '--outFile', 'out.wasm', '--textFile', 'out.wat', '-O3', '--noAssert', '--runtime', 'stub'],
      ...['--importMemory', '--noExportMemory', '--initialMemory', '1', '--maximumMemory', '65536', '--sharedMemory'],
      ...['--enable', 'simd', '--enable', 'threads', '--enable', 'bulk-memory'],
      ...(relaxed ? ['--enable', 'relaxed-simd'] : []),
      ...['--use', `FMA=${relaxed ? 1 : 0}`],
    ],
    {
      readFile: (name) => files.get(name) ?? null,
      writeFile: (name, data) => written.set(name, data),
      listFiles: () => [],
      stdout: { write },
      stderr: { write },
    },
  );
  if (error) throw new Error(`AssemblyScript (relaxed: ${relaxed}):\n${log.join('')}${error.message}`);
  return { wasm: Buffer.from(written.get('out.wasm')), wat: written.get('out.wat') };
}

/** The binary shares tfjs's memory, so it must not bring data of its own; and it asks for nothing but that memory. */
function verify(wasm) {
  const module = new WebAssembly.Module(wasm);
  const imports = WebAssembly.Module.imports(module).map((i) => `${i.module}.${i.name}`);
  if (imports.join() !== 'env.memory')
    throw new Error(`Kernels import ${imports.join(', ')} instead of env.memory alone.`);
  if (sections(wasm).some((id) => id === 11 || id === 12)) throw new Error('Kernels contain a data segment.');
}

function sections(wasm) {
  const ids = [];
  for (let at = 8; at < wasm.length; ) {
    ids.push(wasm[at++]);
    let size = 0;
    for (let shift = 0, byte = 128; byte & 128; shift += 7) {
      byte = wasm[at++];
      size += (byte & 127) * 2 ** shift;
    }
    at += size;
  }
  return ids;
}

/** Builds what is out of date. vitest calls it before any test. */
export default async function build() {
  const hash = createHash('sha256');
  for (const [name, text] of sources) hash.update(`${name}\0${text}\0`);
  for (const name of ['build.mjs', 'conv-tiles.mjs', 'tiles.mjs']) hash.update(readFileSync(join(here, name)));
  const digest = hash.digest('hex');
  const stamp = join(output, '.hash');
  if (!process.argv.includes('--force') && existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;

  mkdirSync(output, { recursive: true });
  for (const [name, relaxed] of [
    ['plain', false],
    ['relaxed', true],
  ]) {
    const { wasm, wat } = await compile(relaxed);
    // With relaxed SIMD this needs the engine to have it, so only the plain one is loaded here; both have the same source.
    if (!relaxed) verify(wasm);
    else if (sections(wasm).some((id) => id === 11 || id === 12)) throw new Error('Kernels contain a data segment.');
    const packed = deflateRawSync(wasm, { level: 9 }).toString('base64');
    const text = `/** The kernels, compiled (${name}); raw deflate, base64. */\nexport default '${packed}' as string;\n`;
    if (text.length > LIMIT) throw new Error(`${name}.ts has ${text.length} bytes, more than ${LIMIT}.`);
    writeFileSync(join(output, `${name}.ts`), text);
    if (process.argv.includes('--wat')) writeFileSync(join(output, `${name}.wat`), wat);
    console.log(`wasm kernels, ${name}: ${wasm.length} bytes, ${text.length} as text`);
  }
  const table = ops.map(({ name }, i) => `  ${name}: ${i},`).join('\n');
  writeFileSync(
    join(output, 'ops.ts'),
    `/** Numbers of the ops of assembly/*.ts. */\nexport const Op = {\n${table}\n} as const;\n`,
  );
  writeFileSync(stamp, digest);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await build();
