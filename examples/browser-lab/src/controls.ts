import { batches, type Choice, type Config, choices, rates, widths } from './config.ts';
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

function select(
  id: string,
  label: string,
  options: [value: string, label: string][],
  changed: (value: string) => void,
) {
  const box = element('select', { id }, ...options.map(([value, text]) => element('option', { value }, text)));
  box.addEventListener('change', () => changed(box.value));
  return { box, root: element('label', { for: id }, label, box) };
}

const named = (choice: Record<string, Choice>): [string, string][] =>
  Object.entries(choice).map(([value, { label }]) => [value, label]);

/** Builds them into the page. */
export function makeControls(tasks: HTMLElement, root: HTMLElement, actions: Actions): Controls {
  const taskButtons = Object.entries(choices.task).map(([task, { label, hint }]) => {
    const button = element('button', { type: 'button', role: 'radio', title: hint, 'aria-checked': 'false' }, label);
    button.addEventListener('click', () => actions.change({ task: task as Config['task'] }));
    return { task, button };
  });
  tasks.append(...taskButtons.map(({ button }) => button));

  const go = element('button', { type: 'button', class: 'go', id: 'go' }, 'Pause');
  const again = element('button', { type: 'button', id: 'again' }, 'Start over');
  go.addEventListener('click', actions.toggle);
  again.addEventListener('click', actions.restart);

  const numbers = (values: readonly number[]): [string, string][] =>
    values.map((value) => [String(value), String(value)]);
  const fields = {
    gradient: select('gradient', 'Gradient', named(choices.gradient), (value) =>
      actions.change({ gradient: value as never }),
    ),
    optimizer: select('optimizer', 'Optimizer', named(choices.optimizer), (value) =>
      actions.change({ optimizer: value as never }),
    ),
    rate: select('rate', 'Learning rate', numbers(rates), (value) => actions.change({ rate: Number(value) })),
    width: select('width', 'Width', numbers(widths), (value) => actions.change({ width: Number(value) })),
    batch: select('batch', 'Batch', numbers(batches), (value) => actions.change({ batch: Number(value) })),
    backend: select('where', 'Runs on', named(choices.backend), (value) => actions.change({ backend: value as never })),
  };
  const hint = element('p', { class: 'hint' });

  const button = (label: string, run: () => void) => {
    const made = element('button', { type: 'button' }, label);
    made.addEventListener('click', run);
    return made;
  };
  const file = element('input', { type: 'file', id: 'load', accept: '.safetensors', class: 'hidden-file' });
  file.addEventListener('change', () => {
    const [chosen] = file.files ?? [];
    if (chosen !== undefined) actions.load(chosen);
    file.value = '';
  });
  root.append(
    element('div', { class: 'row' }, go, again),
    ...Object.values(fields).map((field) => field.root),
    hint,
    element(
      'div',
      { class: 'row' },
      button('Save weights', () => actions.save('safetensors')),
      button('Save run', () => actions.save('json')),
      element('label', { class: 'file', for: 'load' }, 'Load weights', file),
      button('Copy link', actions.share),
    ),
  );

  return {
    show(config, state, resumable) {
      for (const { task, button: one } of taskButtons) one.setAttribute('aria-checked', String(task === config.task));
      for (const [name, field] of Object.entries(fields)) field.box.value = String(config[name as keyof Config]);
      const parts = [choices.task[config.task], choices.gradient[config.gradient], choices.backend[config.backend]];
      hint.textContent = parts.map((part) => part.hint).join(' ');
      go.textContent = state === 'running' ? 'Pause' : resumable ? 'Resume' : 'Start';
      go.disabled = state === 'busy';
    },
  };
}
