/** What a run is: everything that the URL says. */
export interface Config {
  readonly task: 'spirals' | 'mnist' | 'patches' | 'ala' | 'text';
  readonly gradient: 'backprop' | 'local' | 'guided' | 'activity' | 'weights' | 'spsa';
  readonly optimizer: 'adam' | 'sgd' | 'momentum' | 'lion' | 'muon';
  /** Learning rate. */
  readonly rate: number;
  /** Neurons of a hidden layer. */
  readonly width: number;
  readonly batch: number;
  readonly seed: number;
  readonly backend: 'auto' | 'webgpu' | 'wasm' | 'webgl' | 'cpu';
  /** How sure is sure enough: to leave at an exit, to give a patch no more learners. */
  readonly sure: number;
  /** Share of the weights that a copy loses, in per cent; 0: nothing is cut. */
  readonly cut: number;
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
    patches: { label: 'Patches', hint: 'A transformer that spends on each patch of a digit as much as it needs.' },
    ala: { label: 'Ala ma kota', hint: 'The smallest language model: six neurons, one sentence.' },
    text: {
      label: 'Characters',
      hint: 'A small transformer that learns to write like Moby-Dick; easy characters leave it early.',
    },
  },
  gradient: {
    backprop: { label: 'Backprop', hint: 'The exact gradient, by a backward pass.' },
    local: { label: 'Forward: local', hint: 'Each layer learns from a head of its own, by moving groups of 8 units.' },
    guided: { label: 'Forward: guided', hint: 'The derivative of the loss along a guess from a head of each layer.' },
    activity: { label: 'Forward: activity', hint: 'Forward mode, moving the outputs of layers. No backward pass.' },
    weights: {
      label: 'Forward: weights',
      hint: 'Forward mode in 8 random directions of the weights. No backward pass.',
    },
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
    webgl: { label: 'WebGL', hint: 'The older way to a GPU, an emulated one too.' },
    cpu: { label: 'CPU', hint: 'Plain JavaScript.' },
  },
};

export const rates: readonly number[] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1];
export const widths: readonly number[] = [6, 16, 32, 64, 128, 256];
export const batches: readonly number[] = [1, 8, 16, 32, 64, 128];
export const certainties: readonly number[] = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99];

type Gradient = Config['gradient'];
const anywhere: readonly Gradient[] = ['backprop', 'weights', 'spsa'];
const layerwise = Object.keys(choices.gradient) as Gradient[];

/** Gradients that can teach a task: some need layers in a row, or weights that are used once. */
export const gradientsOf: Record<Config['task'], readonly Gradient[]> = {
  spirals: layerwise,
  mnist: layerwise,
  patches: anywhere,
  ala: ['backprop', 'activity', 'weights', 'spsa'],
  text: anywhere,
};

/** Whether a task's network does less where it is sure, so that `sure` means something. */
export const dynamic: readonly Config['task'][] = ['mnist', 'patches', 'text'];

/** Settings that learn well; a task brings its own. */
export const defaults: Record<Config['task'], Config> = {
  spirals: base('spirals', 1e-2, 32, 64),
  mnist: base('mnist', 3e-3, 128, 64),
  patches: { ...base('patches', 3e-3, 32, 32), sure: 0.5 },
  ala: { ...base('ala', 0.3, 6, 1), optimizer: 'sgd' },
  text: { ...base('text', 3e-3, 64, 16), sure: 0.5 },
};

function base(task: Config['task'], rate: number, width: number, batch: number): Config {
  return {
    task,
    gradient: 'backprop',
    optimizer: 'adam',
    rate,
    width,
    batch,
    seed: 1,
    backend: 'auto',
    until: 0,
    sure: 0.95,
    cut: 0,
  };
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
  const count = (name: 'seed' | 'until' | 'cut'): number => {
    const value = Number(query.get(name) ?? like[name]);
    return Number.isSafeInteger(value) && value >= 0 ? value : like[name];
  };
  const gradient = one(choices.gradient, query.get('gradient'), like.gradient);
  return {
    task,
    gradient: gradientsOf[task].includes(gradient) ? gradient : like.gradient,
    optimizer: one(choices.optimizer, query.get('optimizer'), like.optimizer),
    rate: number(rates, query.get('rate'), like.rate),
    width: number(widths, query.get('width'), like.width),
    batch: number(batches, query.get('batch'), like.batch),
    seed: count('seed'),
    backend: one(choices.backend, query.get('backend'), like.backend),
    sure: number(certainties, query.get('sure'), like.sure),
    cut: Math.min(99, count('cut')),
    until: count('until'),
  };
}

/** What acts within a run; everything else makes another one. */
export const knobs = ['rate', 'sure', 'cut'] as const;

/** The run, whatever its knobs say now. */
export function runOf(config: Config): Config {
  const like = defaults[config.task];
  return { ...config, ...Object.fromEntries(knobs.map((name) => [name, like[name]])) };
}

/** Whether two runs are the same but for what acts within a run. */
export function sameRun(a: Config, b: Config): boolean {
  return format(runOf(a)) === format(runOf(b));
}

/** Only what differs from the task's defaults, so that addresses stay short. */
export function format(config: Config): string {
  const like = defaults[config.task];
  const entries = Object.entries(config).filter(
    ([name, value]) => name === 'task' || value !== like[name as keyof Config],
  );
  return `#${new URLSearchParams(entries.map(([name, value]) => [name, String(value)]))}`;
}
