import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { Context, Labelled, LossFunction, Module, Tree } from '../seams/index.ts';

/** What the layers of a model are taught, each by itself; layers react to the lessons whose name they know. */
export interface Lesson {
  readonly what: string;
}

/** A lesson as a layer sees it. */
export interface OpenLesson {
  readonly lesson: Lesson;
  /** Takes the layer's own loss for each of its tokens [tokens]; it is copied where it is to live on. */
  report(loss: tf.Tensor): void;
}

interface TaughtContext extends Context {
  readonly taught?: OpenLesson;
}

/** The lesson that is given under this context, if any. */
export function lessonOf(ctx: Context | undefined): OpenLesson | undefined {
  return (ctx as TaughtContext | undefined)?.taught;
}

/**
 * A loss that teaches every layer of a model by itself: the model runs under the lesson, layers that know it report
 * how wrong they are, and give the output that the others are to see.
 *
 * @returns The mean of the layers' losses for each example [B], the tokens of a layer belonging to examples in equal
 * runs; labels are not used.
 */
export function layerwiseLoss<P extends Tree>(model: Module<P>, lesson: Lesson): LossFunction<P, Labelled> {
  return (params, { x }, ctx) => {
    const examples = x.shape[0]!;
    const losses: tf.Tensor[] = [];
    // The model's tidies end before the losses are added up.
    const report = (loss: tf.Tensor): void => {
      losses.push(tf.keep(tf.tidy(() => tf.mean(tf.reshape(loss, [examples, -1]), 1))));
    };
    const context: TaughtContext = { ...ctx, taught: { lesson, report } };
    try {
      return tf.tidy(() => {
        model.apply(params, x, context);
        if (losses.length === 0) {
          throw new FrugalError('NO_LAYERS', `No layer of this model can be taught '${lesson.what}'.`);
        }
        return tf.div(tf.addN(losses), losses.length) as tf.Tensor1D;
      });
    } finally {
      tf.dispose(losses);
    }
  };
}
