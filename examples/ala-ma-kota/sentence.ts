import { backprop, lossFunction, nextToken, sgd, takeStep } from '@frugal/core-trainer';
import { atLeast, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { foldIn, key, valueAndGrad } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { type Connections, type NapkinModel, napkinModel } from './model.ts';
import { type Glimpse, picture } from './picture.ts';

/** The whole internet. The dot closes it, and after the dot it starts again. */
const words = ['Ala', 'ma', 'kota', '.'];
const neurons = 6;
const corrections = 100;
const shown = [0, 1, 2, 3, 5, 8, 13, 21, 34, 55, corrections];

// The three functions that training is made of. Swap one, and the other two stay.
const objective = nextToken(); // what to do: say the next word
const gradient = backprop(); // what to change: tell every connection which way is better
const optimizer = sgd(0.5);

/** Probabilities of the next word after each word: [words, words]. */
async function guesses(model: NapkinModel, params: Connections): Promise<number[][]> {
  const ids = tf.range(0, words.length, 1, 'int32');
  const table = tf.tidy(() => tf.softmax(model.apply(params, ids)));
  const values = Array.from(await table.data());
  tf.dispose([ids, table]);
  return words.map((_, i) => values.slice(i * words.length, (i + 1) * words.length));
}

/** What the network says when it begins with the first word and always takes what it finds most likely. */
function speech(table: readonly (readonly number[])[]): string {
  const said = [0];
  while (said.length < words.length) {
    const row = table[said.at(-1)!]!;
    said.push(row.indexOf(Math.max(...row)));
  }
  return said.map((word) => words[word]).join(' ');
}

/** Looks into the network while it answers the word that it finds hardest. */
async function look(model: NapkinModel, params: Connections, step: number): Promise<Glimpse> {
  const table = await guesses(model, params);
  const next = (word: number): number => (word + 1) % words.length;
  const chances = words.map((_, word) => table[word]![next(word)]!);
  const input = chances.indexOf(Math.min(...chances));
  const ids = tf.tensor1d([input], 'int32');
  const target = tf.tensor1d([next(input)], 'int32');
  const lit = model.light(params, ids);
  // What each neuron hears in its headphones: minus the gradient of the loss with respect to its light.
  const [loss, slopes] = valueAndGrad((light: tf.Tensor) =>
    tf.mean(objective.loss(model.speak(params, light), target)),
  )(lit);
  const brightness = Array.from(await lit.data());
  const pulls = Array.from(await slopes.data());
  tf.dispose([ids, target, lit, loss, slopes]);
  return {
    step,
    loss: chances.reduce((sum, chance) => sum - Math.log(chance), 0) / words.length,
    words,
    input,
    target: next(input),
    neurons: brightness,
    // A dark neuron hears nothing: its light does not depend on its connections.
    neuronWishes: pulls.map((pull, i) => (brightness[i]! > 0 ? -pull : 0)),
    guess: table[input]!,
    says: speech(table),
  };
}

/** Teaches the smallest language model the smallest internet, in pictures. */
export async function runSentence(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { name, reason } = await io.start(options.backend);
  io.print(`The whole internet is one sentence: “Ala ma kota.” (${name}: ${reason})\n`);
  const model = napkinModel(words.length, neurons);
  const seed = key(options.seed);
  let params = model.init(foldIn(seed, 0));
  let state = optimizer.init(params);
  const loss = lossFunction(model, objective.loss);

  // Ala ma kota . Ala: each word but the last goes in, each word but the first should come out.
  const internet = tf.tensor2d([[0, 1, 2, 3, 0]], [1, 5], 'int32');
  const batch = objective.examples(internet);
  for (let step = 0; step <= corrections; step++) {
    if (shown.includes(step)) {
      io.frame(`${picture(await look(model, params, step), io)}\n`);
      await io.pause(900);
    }
    const { loss: value, grads } = gradient(loss, params, batch, foldIn(seed, 1 + step));
    [params, state] = takeStep(optimizer, grads, state, params, { step });
    tf.dispose([value, grads as tf.TensorContainer] as tf.TensorContainer);
  }

  const table = await guesses(model, params);
  const least = Math.min(...words.map((_, word) => table[word]![(word + 1) % words.length]!));
  const says = speech(table);
  tf.dispose([internet, batch, params, state] as unknown as tf.TensorContainer);
  return [
    { what: 'it says', reached: says === words.join(' '), verdict: `“${says}”, target “${words.join(' ')}”` },
    atLeast('least sure of a right word', least, 0.95, percent),
  ];
}
