import { parseArgs } from 'node:util';
import { build, createServer, preview } from 'vite';
import { config } from './vite.config.ts';

const HELP = `npm run example -- browser-lab             starts the lab
npm run example -- browser-lab --build     makes the static folder examples/browser-lab/dist
npm run example -- browser-lab --preview   serves that folder`;

/** Starts, builds or serves the lab. `--quick` builds it; what it does in a page is tested in tests/lab. */
export async function main(args: readonly string[]): Promise<number> {
  const flag = { type: 'boolean', default: false } as const;
  const options = {
    build: flag,
    preview: flag,
    quick: flag,
    help: flag,
    port: { type: 'string', default: '5173' },
  } as const;
  const { values } = parseArgs({ args: [...args], options });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.quick || values.build) {
    await build(config);
    console.log('The static folder examples/browser-lab/dist is made; any web server can serve it.');
    return 0;
  }
  const port = Number(values.port);
  const server = values.preview
    ? await preview({ ...config, preview: { ...config.preview, port } })
    : await (await createServer({ ...config, server: { ...config.server, port } })).listen();
  server.printUrls();
  return new Promise(() => undefined);
}
