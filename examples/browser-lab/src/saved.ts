import { type Config, parse } from './config.ts';

/** What a file holds: the settings of a run, weights, or both. */
export interface Saved {
  readonly config?: Config;
  readonly weights?: Uint8Array;
}

const checked = (config: object): Config =>
  parse(String(new URLSearchParams(Object.entries(config).map(([name, value]) => [name, String(value)]))));

/** The settings that the lab writes into the header of a safetensors file; the worker checks the file itself. */
function settingsOf(bytes: Uint8Array): Config | undefined {
  try {
    const size = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + size)));
    return checked(JSON.parse(header.__metadata__.config));
  } catch {
    return undefined;
  }
}

/** Reads what the lab has saved. Weights from elsewhere have no settings with them. */
export async function readSaved(file: File): Promise<Saved> {
  if (file.name.endsWith('.json')) {
    const { config } = JSON.parse(await file.text());
    if (typeof config !== 'object' || config === null) throw new Error(`${file.name} is no run of the lab.`);
    return { config: checked(config) };
  }
  const weights = new Uint8Array(await file.arrayBuffer());
  const config = settingsOf(weights);
  return config === undefined ? { weights } : { weights, config };
}
