import { hypervolume, paretoFront } from '@frugal/tensor';
import { type CurvesOptions, curvesSvg } from './curves.ts';

/** What networks of one kind cost and how good they are: [cost, quality]; less cost and more quality is better. */
export type Tradeoffs = readonly (readonly [cost: number, quality: number])[];

/** Options of `paretoSvg`. */
export interface ParetoSvgOptions extends Omit<CurvesOptions, 'yRange'> {
  /** [cost, quality] that is worse than all points of interest: hypervolumes are measured from there. */
  readonly reference: readonly [cost: number, quality: number];
}

/** The fronts of several kinds of network. */
export interface ParetoPicture {
  readonly svg: string;
  /** What each kind beats, up to the reference; larger is better. */
  readonly hypervolumes: Readonly<Record<string, number>>;
}

const directions = ['min', 'max'] as const;

/**
 * Pareto fronts of cost and quality as an SVG picture, with the hypervolume of each in the legend: exits against experts against boosted tokens.
 *
 * @param kinds At least one point in each; what another point of the kind beats is left out.
 * @throws {FrugalError} `BAD_ARGUMENT` for numbers that are not finite, or without points.
 */
export function paretoSvg(kinds: Readonly<Record<string, Tradeoffs>>, options: ParetoSvgOptions): ParetoPicture {
  const { reference, ...rest } = options;
  const hypervolumes: Record<string, number> = {};
  const curves = Object.entries(kinds).map(([name, points]) => {
    const volume = hypervolume(points, reference, { directions });
    hypervolumes[name] = volume;
    const front = paretoFront(points, { directions }).map((i) => points[i]!);
    return { name: `${name} (${volume.toPrecision(3)})`, points: front };
  });
  return { svg: curvesSvg(curves, { xLabel: 'cost', yLabel: 'quality', ...rest }), hypervolumes };
}
