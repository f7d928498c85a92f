import { parseArgs } from 'node:util';
import { diagnose, formatDiagnosis, formatProbe } from './doctor.ts';
import { probe } from './probe.ts';
import { type BackendName, backendNames } from './providers.ts';

const HELP = `Usage: npx @frugal/tensor doctor [--backend NAME] [--json]

Tries every backend of TensorFlow.js that Frugal knows (${backendNames.join(', ')}), each in a process of its own:
whether it works and why, how fast it multiplies matrices, what it can train, and what to install.`;

/**
 * The command line: `doctor`, and `probe NAME` for the processes that doctor starts.
 *
 * @param args What follows the program's name.
 * @param program What Node has to run to come here again.
 * @returns The exit status: 1 if no backend works, 2 for a wrong command.
 */
export async function main(args: readonly string[], program: readonly string[]): Promise<number> {
  const options = {
    json: { type: 'boolean' },
    backend: { type: 'string', multiple: true },
    help: { type: 'boolean' },
  } as const;
  let parsed: ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  const { values, positionals } = parsed;
  const [command, name] = positionals;
  const names = values.backend ?? (name === undefined ? [] : [name]);
  const unknown = names.find((one) => !backendNames.includes(one as BackendName));
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  if (unknown !== undefined || (command !== 'doctor' && command !== 'probe')) {
    console.error(
      `${unknown === undefined ? `There is no command '${command ?? ''}'.` : `There is no backend '${unknown}'.`}\n\n${HELP}`,
    );
    return 2;
  }
  if (command === 'probe') {
    console.log(formatProbe(await probe(name as BackendName)));
    return 0;
  }
  const diagnosis = await diagnose(program, names.length > 0 ? (names as BackendName[]) : undefined);
  console.log(values.json === true ? JSON.stringify(diagnosis, null, 2) : formatDiagnosis(diagnosis));
  return diagnosis.backends.some(({ works }) => works) ? 0 : 1;
}
