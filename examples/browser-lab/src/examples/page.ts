import type { Target } from '@frugal/example-support';
import { choices } from '../config.ts';
import { download, element } from '../dom.ts';
import { examples } from './list.ts';
import type { RunExample, Word } from './protocol.ts';

const byId = <E extends HTMLElement>(id: string): E => document.getElementById(id) as E;
const [quick, live] = [byId<HTMLInputElement>('quick'), byId<HTMLInputElement>('live')];
const backend = byId<HTMLSelectElement>('example-backend');

backend.append(...Object.entries(choices.backend).map(([value, { label }]) => element('option', { value }, label)));
live.checked = !matchMedia('(prefers-reduced-motion: reduce)').matches;

/** One example: a button, what it prints, whether it kept its promises. */
function entry(name: string, shows: string): HTMLElement {
  const go = element('button', { type: 'button', 'aria-describedby': `${name}-shows` }, `Run ${name}`);
  const status = element('p', { class: 'hint', role: 'status' });
  const output = element('pre', { tabindex: 0, 'aria-label': `What ${name} prints`, hidden: true });
  const verdicts = element('ul', { class: 'verdicts' });
  const root = element(
    'section',
    { id: name, class: 'panel', 'aria-label': name },
    element('div', { class: 'row' }, go, element('p', { id: `${name}-shows` }, shows)),
    status,
    output,
    verdicts,
  );
  let worker: Worker | undefined;
  let printed = '';
  let frame = '';

  function write(): void {
    output.hidden = false;
    output.textContent = printed + frame;
    output.scrollTop = output.scrollHeight;
  }

  function end(state: 'reached' | 'missed' | 'failed', text: string): void {
    worker?.terminate();
    worker = undefined;
    go.textContent = `Run ${name}`;
    root.dataset.state = state;
    status.textContent = text;
  }

  function finish(targets: readonly Target[]): void {
    verdicts.replaceChildren(
      ...targets.map(({ what, reached, verdict }) =>
        element('li', { class: reached ? 'reached' : 'missed' }, `${reached ? '✓' : '✗ missed'} ${what}: ${verdict}`),
      ),
    );
    const all = targets.every(({ reached }) => reached);
    end(all ? 'reached' : 'missed', all ? 'It kept its promises.' : 'It missed a target.');
  }

  function hear(word: Word): void {
    if (word.type === 'status') status.textContent = word.text;
    else if (word.type === 'file') download(word.name, word.text, 'text/html');
    else if (word.type === 'done') finish(word.targets);
    else if (word.type === 'failed') end('failed', `It does not work: ${word.message}`);
    else {
      if (word.type === 'print') [printed, frame] = [`${printed}${word.text}\n`, ''];
      else frame = word.text;
      write();
    }
  }

  go.addEventListener('click', () => {
    if (worker !== undefined) return end('failed', 'Stopped.');
    [printed, frame] = ['', ''];
    verdicts.replaceChildren();
    go.textContent = 'Stop';
    root.dataset.state = 'running';
    status.textContent = 'starting …';
    worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<Word>) => hear(data));
    worker.addEventListener('error', (event) => end('failed', `It does not work: ${event.message}`));
    const options = { backend: backend.value, quick: quick.checked, seed: 1 };
    worker.postMessage({ name, home: document.baseURI, live: live.checked, options } satisfies RunExample);
  });
  return root;
}

byId('list').append(...Object.entries(examples).map(([name, { shows }]) => entry(name, shows)));
