/** What a run is: everything that the URL says. */
export interface Config {
  readonly task: 'spirals' | 'mnist' | 'ala' | 'text';
  readonly gradient: 'backprop' | 'weights' | 'activity' | 'spsa';
  readonly optimizer: 'adam' | 'sgd' | 'momentum' | 'lion' | 'muon';
  /** Learning rate. */
  readonly rate: number;
  /** Neurons of a hidden layer. */
  readonly width: number;
  readonly batch: number;
  readonly seed: number;
  readonly backend: 'auto' | 'webgpu' | 'wasm' | 'cpu';
  /** Steps after which the run pauses by itself; 0: never. */
  readonly until: number;
}

export interface Choice {
  readonly label: string;
  /** What it is, in a sentence. */
  readonly hint: string;
}

export const choices: { readonly [K in 'task' | 'gradient' | 'optimizer' | 'backend']: Record<Config[K], Choice> } = {
  task: {
    spirals: { label: 'Spirals', hint: 'Three arms in the plane: which arm is a point on?' },
    mnist: { label: 'Digits', hint: 'MNIST: 10,000 handwritten digits to learn from, a network with two early exits.' },
    ala: { label: 'Ala ma kota', hint: 'The smallest language model: six neurons, one sentence.' },
    text: { label: 'Characters', hint: 'A small transformer that learns to write like Moby-Dick.' },
  },
  gradient: {
    backprop: { label: 'Backprop', hint: 'The exact gradient, by a backward pass.' },
    weights: {
      label: 'Forward: weights',
      hint: 'Forward mode in 8 random directions of the weights. No backward pass.',
    },
    activity: { label: 'Forward: activity', hint: 'Forward mode, moving the outputs of layers. No backward pass.' },
    spsa: { label: 'SPSA', hint: 'Only values of the loss, at random steps to both sides.' },
  },
  optimizer: {
    adam: { label: 'Adam', hint: 'arXiv 1412.6980' },
    sgd: { label: 'SGD', hint: 'Plain descent.' },
    momentum: { label: 'Momentum', hint: 'Descent with a heavy ball, 0.9.' },
    lion: { label: 'Lion', hint: 'Steps by signs. Wants a rate ten times smaller. arXiv 2302.06675' },
    muon: { label: 'Muon', hint: 'Orthogonal steps for matrices.' },
  },
  backend: {
    auto: { label: 'Auto', hint: 'A real GPU by WebGPU, else WebAssembly, else plain JavaScript.' },
    webgpu: { label: 'WebGPU', hint: 'Whatever adapter there is, an emulated one too.' },
    wasm: { label: 'Wasm', hint: 'WebAssembly with SIMD kernels of our own.' },
    cpu: { label: 'CPU', hint: 'Plain JavaScript.' },
  },
};

export const rates: readonly number[] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1];
export const widths: readonly number[] = [6, 16, 32, 64, 128, 256];
export const batches: readonly number[] = [1, 8, 16, 32, 64, 128];

/** Settings that learn well; a task brings its own. */
export const defaults: Record<Config['task'], Config> = {
  spirals: base('spirals', 1e-2, 32, 64),
  mnist: base('mnist', 3e-3, 128, 64),
  ala: { ...base('ala', 0.3, 6, 1), optimizer: 'sgd' },
  text: base('text', 3e-3, 64, 16),
};

function base(task: Config['task'], rate: number, width: number, batch: number): Config {
  return { task, gradient: 'backprop', optimizer: 'adam', rate, width, batch, seed: 1, backend: 'auto', until: 0 };
}

const one = <T extends string>(options: Record<T, Choice>, value: string | null, fallback: T): T =>
  value !== null && Object.hasOwn(options, value) ? (value as T) : fallback;

const number = (values: readonly number[], text: string | null, fallback: number): number =>
  values.includes(Number(text)) && text !== null ? Number(text) : fallback;

/** The state in a URL's fragment; what is missing or unknown takes its default. */
export function parse(fragment: string): Config {
  const query = new URLSearchParams(fragment.replace(/^#/, ''));
  const task = one(choices.task, query.get('task'), 'spirals');
  const like = defaults[task];
  const count = (name: 'seed' | 'until'): number => {
    const value = Number(query.get(name) ?? like[name]);
    return Number.isSafeInteger(value) && value >= 0 ? value : like[name];
  };
  return {
    task,
    gradient: one(choices.gradient, query.get('gradient'), like.gradient),
    optimizer: one(choices.optimizer, query.get('optimizer'), like.optimizer),
    rate: number(rates, query.get('rate'), like.rate),
    width: number(widths, query.get('width'), like.width),
    batch: number(batches, query.get('batch'), like.batch),
    seed: count('seed'),
    backend: one(choices.backend, query.get('backend'), like.backend),
    until: count('until'),
  };
}

/** Only what differs from the task's defaults, so that addresses stay short. */
export function format(config: Config): string {
  const like = defaults[config.task];
  const entries = Object.entries(config).filter(
    ([name, value]) => name === 'task' || value !== like[name as keyof Config],
  );
  return `#${new URLSearchParams(entries.map(([name, value]) => [name, String(value)]))}`;
}
