import type { Advice, Confidence, Evidence, Part } from './policy.ts';

/** How far estimates of the noise scale may differ, as a factor, for a confidence. */
const [SURE, LIKELY] = [2, 4];

/**
 * What the critical rate says of a warm-up of so many steps (arXiv 2406.09405): needed where the rate is more than the first step
 * bears, η_c; and what it does below η_c is time that could be saved (`catapultWarmup`).
 */
export function warmupPart({ rate, evidence }: Advice, value: number): Part & { readonly value: number } {
  const { critical } = evidence;
  if (critical === undefined) {
    return {
      value,
      confidence: 'low',
      reasons: ['A share of the run, by custom: how far the first step may go was not measured.'],
    };
  }
  const times = rate / critical.rate;
  const [edge, top] = [critical.rate.toPrecision(2), rate.toPrecision(2)];
  if (times <= 1) {
    return {
      value,
      confidence: 'low',
      reasons: [
        `The first step bears the whole rate: η_c is ${edge}, and ${top} is no more. It may do without, and was not tried so.`,
      ],
    };
  }
  return {
    value,
    confidence: times > 2 ? 'high' : 'medium',
    reasons: [
      `The rate is ${times.toPrecision(2)} times η_c, ${edge}, the most that the first step bears: it has to be reached step by step.`,
      `Below η_c no step raises the loss, so a warm-up that begins there saves ${Math.round(value / times)} of ${value} steps.`,
    ],
  };
}

/** The power of two nearest to the gradient noise scale, at which a batch is half signal and half noise. */
export function batchSizePart({ noise = [] }: Evidence): Part {
  const [best] = noise;
  if (best === undefined) {
    return {
      value: undefined,
      confidence: 'low',
      reasons: ['The noise of gradients was not measured: ask noiseScale.'],
    };
  }
  // Numerator and denominator apart: the mean of ratios is biased.
  const sum = (what: 'noise' | 'signal'): number => noise.reduce((total, one) => total + one[what], 0);
  const [spread, signal] = [sum('noise'), sum('signal')];
  const seen = noise.reduce((most, { batchSize, gradients }) => Math.max(most, batchSize * gradients), 0);
  if (!(signal > 0)) {
    const reason = `In ${best.gradients} batches of ${best.batchSize} the gradient cannot be told from noise: the noise scale is some ${seen} or more.`;
    return { value: nearestPower(seen), confidence: 'low', reasons: [reason] };
  }
  const scale = Math.max(1, spread / signal);
  const scales = noise.map((one) => one.scale);
  const apart = Math.max(...scales) / Math.max(1e-12, Math.min(...scales));
  const value = nearestPower(scale);
  const reasons = [
    `Gradients at the end of ${noise.length} miniature runs have a noise scale of ${scale.toPrecision(2)}: larger batches save few steps, smaller ones few examples.`,
    'It grows as the loss falls, so it is a lower bound for the end of the run.',
  ];
  if (value !== best.batchSize) reasons.push(`The rate is for batches of ${best.batchSize}: ask again with others.`);
  return { value, confidence: confidenceOf(apart, noise.length), reasons };
}

function confidenceOf(apart: number, estimates: number): Confidence {
  if (estimates < 2 || !(apart <= LIKELY)) return 'low';
  return apart <= SURE ? 'high' : 'medium';
}

function nearestPower(value: number): number {
  return 2 ** Math.round(Math.log2(value));
}
