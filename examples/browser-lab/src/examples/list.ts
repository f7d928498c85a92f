import type { Example } from '@frugal/example-support';

/** An example of the repository. */
export interface Entry {
  readonly shows: string;
  /** Its core, loaded when it is run. */
  load(): Promise<Example>;
}

const like = (run: unknown): Example => run as Example;

/** Every example but `node-gpu`, whose subject is Node, and this lab. Options of their own are at their defaults. */
export const examples: Readonly<Record<string, Entry>> = {
  'ala-ma-kota': {
    shows: 'The smallest language model: one sentence, six neurons.',
    load: async () => {
      const { runAlaMaKota } = await import('@frugal/example-ala-ma-kota/run');
      return (options, io) => runAlaMaKota({ ...options, gpt: false }, io);
    },
  },
  mnist: {
    shows: 'The main job: a network learns to read digits.',
    load: async () => {
      const { runMnist } = await import('@frugal/example-mnist/run');
      return (options, io) => runMnist({ ...options, model: 'mlp' }, io);
    },
  },
  demo: {
    shows: 'The whole story: a rate, a training, an exit, a cut, a forward pass only, and the bill.',
    load: async () => {
      const { runDemo } = await import('@frugal/example-demo/run');
      return (options, io) => runDemo({ ...options, model: 'mlp' }, io);
    },
  },
  'bring-your-model': {
    shows: 'A tfjs model and its own model.fit, with our optimizer, meter, checkpoint and resume.',
    load: async () => like((await import('@frugal/example-bring-your-model/run')).runBringYourModel),
  },
  'forward-vs-backprop': {
    shows: 'Eight ways to find a gradient, side by side.',
    load: async () => like((await import('@frugal/example-forward-vs-backprop/run')).runForwardVsBackprop),
  },
  'early-phase': {
    shows: 'The learning rate read from the first steps, and the grid search that it saves.',
    load: async () => {
      const { runEarlyPhase } = await import('@frugal/example-early-phase/run');
      return (options, io) => runEarlyPhase({ ...options, report: '' }, io);
    },
  },
  'prune-to-a-tenth': {
    shows: 'A network loses nine tenths of its weights, and reads as well.',
    load: async () => like((await import('@frugal/example-prune-to-a-tenth/run')).runPruneToATenth),
  },
  'dynamic-nets': {
    shows: 'One trained transformer made dynamic in three ways, at the same mean cost.',
    load: async () => like((await import('@frugal/example-dynamic-nets/run')).runDynamicNets),
  },
  'game-of-life': {
    shows: 'How hard a small net is to teach what a larger one learns.',
    load: async () => like((await import('@frugal/example-game-of-life/run')).runGameOfLife),
  },
  'custom-optimizer': {
    shows: 'An optimizer of yours, through the contract kit.',
    load: async () => like((await import('@frugal/example-custom-optimizer/run')).runCustomOptimizer),
  },
  'custom-policy': {
    shows: 'A policy of yours for early exits, through the contract kit.',
    load: async () => like((await import('@frugal/example-custom-policy/run')).runCustomPolicy),
  },
  'custom-router': {
    shows: 'A router of yours for a mixture of experts, through the contract kit.',
    load: async () => like((await import('@frugal/example-custom-router/run')).runCustomRouter),
  },
};
