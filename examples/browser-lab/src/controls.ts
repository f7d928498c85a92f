import {
  batches,
  type Choice,
  type Config,
  certainties,
  choices,
  dynamic,
  gradientsOf,
  rates,
  widths,
} from './config.ts';
import { element } from './dom.ts';

/** What the buttons do. */
export interface Actions {
  change(change: Partial<Config>): void;
  toggle(): void;
  restart(): void;
  save(kind: 'safetensors' | 'json'): void;
  load(file: File): void;
  share(): void;
}

/** The settings and buttons. */
export interface Controls {
  show(config: Config, state: 'running' | 'paused' | 'busy', resumable: boolean): void;
}

interface Field {
  readonly box: HTMLSelectElement | HTMLInputElement;
  readonly root: HTMLElement;
}

type Changed = (value: string) => void;

function field(box: Field['box'], label: string, changed: Changed): Field {
  box.addEventListener('change', () => changed(box.value));
  return { box, root: element('label', { for: box.id }, label, box) };
}

function select(id: string, label: string, options: [value: string, label: string][], changed: Changed): Field {
  const all = options.map(([value, text]) => element('option', { value }, text));
  return field(element('select', { id }, ...all), label, changed);
}

/** A whole number; what is none is not taken. */
function whole(id: string, label: string, changed: (value: number) => void): Field {
  const box = element('input', { id, type: 'number', min: 0, step: 1, inputmode: 'numeric' });
  return field(box, label, (value) => {
    const number = Number(value);
    if (value !== '' && Number.isSafeInteger(number) && number >= 0) changed(number);
  });
}

const named = (choice: Record<string, Choice>): [string, string][] =>
  Object.entries(choice).map(([value, { label }]) => [value, label]);

const numbers = (values: readonly number[], show: (value: number) => string = String): [string, string][] =>
  values.map((value) => [String(value), show(value)]);

function makeFields(change: Actions['change']): { readonly [K in Exclude<keyof Config, 'task' | 'cut'>]: Field } {
  const pick = (name: keyof Config) => (value: string) => change({ [name]: value });
  const count = (name: keyof Config) => (value: string | number) => change({ [name]: Number(value) });
  return {
    gradient: select('gradient', 'Gradient', named(choices.gradient), pick('gradient')),
    optimizer: select('optimizer', 'Optimizer', named(choices.optimizer), pick('optimizer')),
    rate: select('rate-now', 'Learning rate', numbers(rates), count('rate')),
    sure: select(
      'sure',
      'Sure enough at',
      numbers(certainties, (value) => `${Math.round(100 * value)} %`),
      count('sure'),
    ),
    width: select('width', 'Width', numbers(widths), count('width')),
    batch: select('batch', 'Batch', numbers(batches), count('batch')),
    seed: whole('seed', 'Seed', count('seed')),
    until: whole('until', 'Pause at step', count('until')),
    backend: select('where', 'Runs on', named(choices.backend), pick('backend')),
  };
}

/** What to learn, as radio buttons: arrow keys go from one to the next. */
function makeTasks(root: HTMLElement, change: Actions['change']): Map<Config['task'], HTMLInputElement> {
  const radios = new Map<Config['task'], HTMLInputElement>();
  for (const [task, { label, hint }] of Object.entries(choices.task) as [Config['task'], Choice][]) {
    const radio = element('input', { type: 'radio', name: 'task', value: task, id: `task-${task}` });
    radio.addEventListener('change', () => change({ task }));
    radios.set(task, radio);
    root.append(element('label', { class: 'task', title: hint }, radio, label));
  }
  return radios;
}

/** Builds them into the page. */
export function makeControls(tasks: HTMLElement, root: HTMLElement, actions: Actions): Controls {
  const radios = makeTasks(tasks, actions.change);
  const button = (label: string, run: () => void, attributes = {}) => {
    const made = element('button', { type: 'button', ...attributes }, label);
    made.addEventListener('click', run);
    return made;
  };
  const go = button('Pause', actions.toggle, { class: 'go', id: 'go' });
  const fields = makeFields(actions.change);
  const hint = element('p', { class: 'hint' });
  const file = element('input', { type: 'file', id: 'load', accept: '.safetensors,.json', class: 'hidden' });
  file.addEventListener('change', () => {
    const [chosen] = file.files ?? [];
    if (chosen !== undefined) actions.load(chosen);
    file.value = '';
  });
  root.append(
    element('div', { class: 'row main' }, go, button('Start over', actions.restart, { id: 'again' })),
    element('div', { class: 'fields' }, ...Object.values(fields).map((one) => one.root)),
    hint,
    element(
      'div',
      { class: 'row files' },
      button('Save weights', () => actions.save('safetensors')),
      element('label', { class: 'file', for: 'load' }, 'Load', file),
      button('Save run', () => actions.save('json')),
      button('Copy link', actions.share),
    ),
  );

  return {
    show(config, state, resumable) {
      for (const [task, radio] of radios) radio.checked = task === config.task;
      for (const [name, one] of Object.entries(fields)) one.box.value = String(config[name as keyof Config]);
      for (const option of (fields.gradient.box as HTMLSelectElement).options) {
        option.disabled = !gradientsOf[config.task].includes(option.value as Config['gradient']);
      }
      fields.sure.root.hidden = !dynamic.includes(config.task);
      const parts = [choices.task[config.task], choices.gradient[config.gradient], choices.backend[config.backend]];
      hint.textContent = parts.map((part) => part.hint).join(' ');
      go.textContent = state === 'running' ? 'Pause' : resumable ? 'Resume' : 'Start';
      go.disabled = state === 'busy';
    },
  };
}
