import { adam, backprop, classification, cosine, type Listener, lossFunction, train } from '@frugal/core-trainer';
import { accuracyOf, type Lesson } from '@frugal/example-mnist';
import { type LocalMethod, localLearning, weightPerturbation } from '@frugal/forward-grad';
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

/** The methods, each on a fresh MLP of these sizes. */
export function methodsFor(sizes: readonly number[]): Record<string, Method> {
  const model = mlp(sizes) as unknown as Staged;
  const perturb = (directions: number): Task => ({ ...plain(model), estimator: weightPerturbation({ directions }) });
  return {
    backprop: { name: 'backprop', forwardOnly: false, peak: 3e-3, task: { ...plain(model), estimator: backprop() } },
    greedy: { name: 'local, 8 units a group', forwardOnly: true, peak: 3e-3, task: local(model, 'greedy') },
    guided: { name: 'guided to the global loss', forwardOnly: true, peak: 3e-3, task: local(model, 'guided') },
    exact: { name: 'local, exact', forwardOnly: true, peak: 3e-3, task: local(model, 'exact') },
    frozen: { name: 'hidden layers frozen', forwardOnly: true, peak: 1e-2, task: local(model, 'frozen') },
    weights16: { name: 'weights, 16 directions', forwardOnly: true, peak: 1e-3, task: perturb(16) },
    weights1: { name: 'weights, 1 direction', forwardOnly: true, peak: 1e-3, task: perturb(1) },
  };
}

/** Local learning, 8 units a group, of a model of one's own. */
export function greedyOn(name: string, model: Staged): Method {
  return { name, forwardOnly: true, peak: 3e-3, task: local(model, 'greedy') };
}

/** Weight perturbation with 16 directions of an MLP. */
export function weightsOn(name: string, sizes: readonly number[]): Method {
  const task = { ...plain(mlp(sizes) as unknown as Staged), estimator: weightPerturbation({ directions: 16 }) };
  return { name, forwardOnly: true, peak: 1e-3, task };
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
