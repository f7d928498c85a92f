import type { Io } from '@frugal/example-support';

/** All that a picture of the network shows, for one word that goes in. */
export interface Glimpse {
  readonly step: number;
  readonly loss: number;
  readonly words: readonly string[];
  /** Which word goes in, and which one should come out. */
  readonly input: number;
  readonly target: number;
  /** How brightly each neuron shines, ≥ 0. */
  readonly neurons: readonly number[];
  /** How much brighter (+) or dimmer (−) each neuron should be: minus the gradient. */
  readonly neuronWishes: readonly number[];
  /** What the network expects next, as probabilities. */
  readonly guess: readonly number[];
  /** The sentence it would say, starting at the first word. */
  readonly says: string;
}

const lamps = ['·', '░', '▒', '▓', '█'];

function lamp(brightness: number): string {
  return lamps[Math.min(lamps.length - 1, Math.ceil(brightness * 2.5))]!;
}

/** What the headphones whisper: up, down, or nothing worth saying. */
function whisper(wish: number): string {
  return Math.abs(wish) < 0.005 ? '' : `${wish > 0 ? '▲' : '▼'} ${Math.abs(wish).toFixed(2)}`;
}

/** The network as lines of text: the word that goes in, the neurons it lights, the words it expects, who was wrong. */
export function picture(glimpse: Glimpse, io: Pick<Io, 'paint'>): string {
  const { step, loss, words, input, target, neurons, neuronWishes, guess, says } = glimpse;
  const best = guess.indexOf(Math.max(...guess));
  const height = Math.max(words.length, neurons.length);
  const top = Math.floor((height - words.length) / 2);
  const lines = Array.from({ length: height }, (_, row) => {
    const w = row - top;
    const word = words[w];
    const wordIn = word === undefined ? ' '.repeat(9) : `${word.padEnd(5)} ${w === input ? '●──' : '○  '}`;
    const left = w === input ? io.paint(wordIn, 'bright') : wordIn;
    const value = neurons[row];
    const lit = value === undefined ? '' : `${lamp(value)} ${value.toFixed(2)}  ${whisper(neuronWishes[row]!)}`;
    const middle = value !== undefined && value > 0.05 ? io.paint(lit.padEnd(15), 'bright') : lit.padEnd(15);
    if (word === undefined) return `   ${left}   ${middle}`;
    const share = guess[w]!;
    const bar = '█'.repeat(Math.round(share * 16)).padEnd(16);
    const wish = whisper((w === target ? 1 : 0) - share);
    const right = `${word.padEnd(5)} ${bar} ${String(Math.round(100 * share)).padStart(3)} %  ${wish}`;
    if (w === target)
      return `   ${left}   ${middle}   ${io.paint(right, 'good')}${best === target ? '  right' : '  ← should be'}`;
    return `   ${left}   ${middle}   ${w === best ? `${io.paint(right, 'bad')}  ← wrong` : right}`;
  });
  return [
    `after ${String(step).padStart(3)} corrections, the box says ${loss.toFixed(3)}.   What comes after “${words[input]}”?`,
    '',
    io.paint('   goes in     neurons          comes out', 'faint'),
    ...lines,
    '',
    `   It says: ${says}`,
  ].join('\n');
}
