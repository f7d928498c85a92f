import { type Config, defaults, format, parse, runOf, sameRun } from './config.ts';
import { makeControls } from './controls.ts';
import { download, element } from './dom.ts';
import type { Lab, Panel } from './panel.ts';
import { type Place, places } from './panels/index.ts';
import type { Report, Tick } from './protocol.ts';
import { readSaved } from './saved.ts';
import { WorkerClient } from './worker-client.ts';

const byId = (id: string): HTMLElement => document.getElementById(id)!;
const [backend, why, panelsRoot] = [byId('backend'), byId('why'), byId('panels')];
/** What has happened, and the same for those who do not see the page. */
const [note, spoken] = [byId('note'), byId('spoken')];

let config = parse(location.hash);
let state: 'running' | 'paused' | 'busy' = 'busy';
let resumable = false;
let client: WorkerClient | undefined;
let last: Tick | undefined;
let score: number | undefined;
/** Bumped by every start, so that an old worker's last words are not heard. */
let generation = 0;
let kept = false;
/** Whether the run began with weights of a file. */
let loaded = false;
let remembering: ReturnType<typeof setTimeout> | undefined;

/** What was paused, by its address without the knobs: offered again after a reload. */
const PAUSED = 'frugal-lab-paused';

const lab: Lab = {
  get config() {
    return config;
  },
  ask: (question) => client?.ask(question) ?? Promise.reject(new Error('Nothing runs.')),
  change,
  announce(text) {
    spoken.textContent = text;
  },
};
/** Panels that were made, and those that the task shows. */
const made = new Map<Place, Panel>();
let panels: readonly Panel[] = [];

const controls = makeControls(byId('tasks'), byId('controls'), {
  change,
  toggle: () => (state === 'running' ? pause() : start(resumable)),
  restart: () => start(false),
  save: (kind) => void save(kind),
  load: (file) => void load(file),
  share: async () => {
    await navigator.clipboard?.writeText(location.href).catch(() => undefined);
    say(`The address says everything about this run: ${location.href}`);
  },
});

function say(text: string): void {
  note.textContent = text;
}

function set(next: typeof state): void {
  state = next;
  document.body.dataset.state = next;
  controls.show(config, state, resumable);
}

/** Writes the address; not at every place that a slider passes, which browsers would refuse. */
function remember(): void {
  if (remembering !== undefined) return;
  history.replaceState(null, '', format(config));
  remembering = setTimeout(() => {
    remembering = undefined;
    if (location.hash !== format(config)) remember();
  }, 150);
}

async function layOut(): Promise<void> {
  const { task } = config;
  const wanted = places.filter(({ tasks }) => tasks?.includes(task) ?? true);
  await Promise.all(wanted.map(async (place) => made.has(place) || made.set(place, (await place.load())(lab))));
  if (config.task !== task) return;
  panels = wanted.map((place) => made.get(place)!);
  const column = (name: Place['column']) =>
    wanted.filter((one) => one.column === name).map((one) => made.get(one)!.root);
  const [left, right] = (['left', 'right'] as const).map((name) =>
    element('div', { class: 'column' }, ...column(name)),
  );
  panelsRoot.replaceChildren(...column('top'), left!, right!);
}

async function start(resume: boolean, weights?: Uint8Array): Promise<void> {
  loaded = weights !== undefined;
  client?.close();
  client = undefined;
  const mine = ++generation;
  [last, score, resumable] = [undefined, undefined, false];
  localStorage.removeItem(PAUSED);
  remember();
  set('busy');
  backend.textContent = 'starting …';
  say('');
  await layOut();
  if (mine !== generation) return;
  for (const panel of panels) panel.reset?.();
  client = new WorkerClient((report) => mine === generation && hear(report));
  client.send({ type: 'start', home: document.baseURI, config, resume, ...(weights !== undefined && { weights }) });
}

function pause(): void {
  set('busy');
  client?.send({ type: 'pause' });
}

/** Knobs act within the run; everything else is another run. */
function change(changed: Partial<Config>): void {
  const next =
    changed.task !== undefined && changed.task !== config.task
      ? { ...defaults[changed.task], backend: config.backend }
      : { ...config, ...changed };
  const within = sameRun(next, config);
  config = next;
  remember();
  if (!within) {
    start(false);
    return;
  }
  client?.send({ type: 'knobs', knobs: { rate: config.rate, sure: config.sure, cut: config.cut } });
  for (const panel of panels) panel.knobs?.();
  controls.show(config, state, resumable);
}

function hear(report: Report): void {
  switch (report.type) {
    case 'backend':
      backend.textContent = [report.name, report.threads].filter((part) => part !== '').join(', ');
      why.textContent = report.reason;
      break;
    case 'started': {
      const { metric, goal, resumedAt } = report;
      for (const panel of panels) panel.reset?.({ metric, goal: resumedAt > 0 || loaded ? undefined : goal });
      if (resumedAt > 0) say(`The run goes on at step ${resumedAt.toLocaleString('en')}.`);
      set('running');
      performance.mark('running');
      keep();
      break;
    }
    case 'tick':
      last = report.tick;
      for (const panel of panels) panel.tick?.(report.tick);
      break;
    case 'evaluation':
      score = report.value;
      for (const panel of panels) panel.evaluation?.(report.step, report.value);
      break;
    case 'view':
      for (const panel of panels) panel.view?.(report.view, report.layers);
      break;
    case 'paused':
      resumable = true;
      localStorage.setItem(PAUSED, format(runOf(config)));
      document.body.dataset.digest = report.digest;
      document.body.dataset.step = String(report.step);
      set('paused');
      say(
        `Paused after ${report.step.toLocaleString('en')} steps; it can go on after a reload, too. Weights: ${report.digest}.`,
      );
      break;
    case 'note':
      document.body.dataset.notes = `${document.body.dataset.notes ?? ''} ${report.message}`;
      say(report.message);
      break;
    case 'failed':
      set('paused');
      say(`It does not work: ${report.message}`);
  }
}

/** Goes on from a file: with the settings of a run, with weights, with both. */
async function load(file: File): Promise<void> {
  try {
    const saved = await readSaved(file);
    if (saved.config !== undefined) config = { ...saved.config, backend: config.backend };
    await start(false, saved.weights);
    say(`${file.name} is loaded.`);
  } catch (error) {
    say(`${file.name} is not loaded: ${(error as Error).message}`);
  }
}

async function save(kind: 'safetensors' | 'json'): Promise<void> {
  try {
    if (kind === 'json') {
      const run = {
        config,
        step: last?.step,
        flops: last?.flops,
        wattHours: last?.wattHours,
        score,
        backend: why.textContent,
        ...Object.assign({}, ...panels.map((panel) => panel.saved?.())),
      };
      return download('run.json', JSON.stringify(run, null, 2), 'application/json');
    }
    download(
      'weights.safetensors',
      await lab.ask<Uint8Array<ArrayBuffer>>({ what: 'export' }),
      'application/octet-stream',
    );
  } catch (error) {
    say((error as Error).message);
  }
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const panel of panels) panel.repaint?.();
});
addEventListener('hashchange', () => {
  config = parse(location.hash);
  start(false);
});
/** Offline, and isolated on hosts that send no headers; asked for when the first run plays, so as not to delay it. */
function keep(): void {
  if (kept || import.meta.env.MODE !== 'production' || !('serviceWorker' in navigator)) return;
  kept = true;
  navigator.serviceWorker.register(`${import.meta.env.BASE_URL}sw.js`).catch(() => undefined);
}

if (localStorage.getItem(PAUSED) === format(runOf(config))) {
  resumable = true;
  void layOut();
  set('paused');
  backend.textContent = 'paused';
  say('This run was paused. Resume it, or start over.');
} else start(false);
