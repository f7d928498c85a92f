import { adam, backprop, classification, cosine, type Listener, lossFunction, train } from '@frugal/core-trainer';
import { accuracyOf, type Lesson } from '@frugal/example-mnist';
import { activityPerturbation, type LocalMethod, localLearning, weightPerturbation } from '@frugal/forward-grad';
import { mlp } from '@frugal/nn';
import {
  type Cost,
  createMeter,
  foldIn,
  type GradientEstimator,
  key,
  type Labelled,
  type LossFunction,
  type Module,
  type Staged,
  type Tree,
  treeDispose,
} from '@frugal/tensor';

/** A way to learn, with the rate that suits it. */
export interface Method {
  readonly name: string;
  readonly forwardOnly: boolean;
  /** The largest learning rate, chosen on validation images for this method alone. */
  readonly peak: number;
  readonly task: Task;
}

/** What `train` needs to know. */
interface Task {
  readonly model: Module;
  readonly loss: LossFunction<Tree, Labelled>;
  readonly estimator: GradientEstimator;
}

const objective = classification();
const plain = (model: Staged): Omit<Task, 'estimator'> => ({
  model: model as Module,
  loss: lossFunction(model as Module, objective.loss) as LossFunction<Tree, Labelled>,
});

/** Local learning on images. */
function local(model: Staged, method: LocalMethod, groupSize = 8): Task {
  const {
    estimator,
    loss,
    model: withHeads,
  } = localLearning<Tree, Labelled>(model, {
    inputShape: [28, 28, 1],
    method,
    groupSize,
  });
  return { estimator, loss: loss as never, model: withHeads as never };
}

/** Ways to learn a model; each has the rate that `chooseRate` finds on validation images for the MLP 784-512-512-10. */
export const methods = {
  backprop: (model: Staged): Method => ({
    name: 'backprop',
    forwardOnly: false,
    peak: 3e-3,
    task: { ...plain(model), estimator: backprop() },
  }),
  greedy: (model: Staged): Method => forward('local, 8 units a group', 3e-3, local(model, 'greedy')),
  guided: (model: Staged): Method => forward('guided to the global loss', 3e-3, local(model, 'guided')),
  exact: (model: Staged): Method => forward('local, exact', 3e-3, local(model, 'exact')),
  frozen: (model: Staged): Method => forward('hidden layers frozen', 1e-2, local(model, 'frozen')),
  activity: (model: Staged): Method =>
    forward('activities, one scalar', 1e-3, { ...plain(model), estimator: activityPerturbation() }),
  weights16: (model: Staged): Method => forward('weights, 16 directions', 1e-3, perturb(model, 16)),
  weights1: (model: Staged): Method => forward('weights, 1 direction', 1e-3, perturb(model, 1)),
} as const;

/** Names of the methods in code. */
export type MethodId = keyof typeof methods;

function forward(name: string, peak: number, task: Task): Method {
  return { name, forwardOnly: true, peak, task };
}

function perturb(model: Staged, directions: number): Task {
  return { ...plain(model), estimator: weightPerturbation({ directions }) };
}

/** Every method, on MLPs of these sizes. */
export function methodsFor(sizes: readonly number[]): Record<MethodId, Method> {
  const model = mlp(sizes) as unknown as Staged;
  return Object.fromEntries(Object.entries(methods).map(([id, make]) => [id, make(model)])) as never;
}

/** What a method reached, and what that took. */
export interface Outcome {
  readonly accuracy: number;
  readonly seconds: number;
  readonly steps: number;
  readonly cost: Cost;
}

/** Options of `learn`. */
export interface LearnOptions {
  readonly epochs: number;
  readonly seed: number;
  readonly batchSize: number;
  readonly listeners?: readonly Listener[];
}

/** Trains with Adam, 100 steps of warm-up and a cosine to 0, then asks the test images once. */
export async function learn(method: Method, data: Lesson, options: LearnOptions): Promise<Outcome> {
  const { epochs, seed, listeners = [] } = options;
  const { model, loss, estimator } = method.task;
  const meter = createMeter();
  const steps = epochs * data.train.batchesPerEpoch;
  const start = performance.now();
  const run = train({
    model,
    loss,
    estimator,
    epochs,
    listeners,
    meter,
    data: data.train,
    optimizer: adam(cosine(method.peak, { warmup: Math.min(100, steps >> 2), steps }), { epsilon: 1e-8 }),
    key: foldIn(key(seed), 2),
  });
  const { params, optimizer, state } = await run.result;
  const seconds = (performance.now() - start) / 1000;
  const accuracy = await accuracyOf(model, params, data.test);
  treeDispose([params, optimizer, state]);
  return { accuracy, seconds, steps, cost: meter.read() };
}
