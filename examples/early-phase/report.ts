import {
  type CriticalRate,
  drawSvg,
  linePicture,
  miniaturesPicture,
  type RangeTest,
  type Recommendation,
  rangeTestPicture,
  reportHtml,
  type SharpnessPoint,
  type SpectralDensity,
  sharpnessPicture,
  spectrumPicture,
} from '@frugal/lr-probe';
import * as vega from 'vega';
import * as vegaLite from 'vega-lite';

/** What was found, as one HTML file that needs no network. */
export async function htmlReport({
  advice,
  critical,
  test,
  sharpness,
  density,
}: {
  advice: Recommendation;
  critical: CriticalRate;
  test: RangeTest;
  /** Along the run at the recommended rate. */
  sharpness: readonly SharpnessPoint[];
  /** Of the Hessian at its start. */
  density: SpectralDensity;
}): Promise<string> {
  const pictures = [
    miniaturesPicture(advice),
    rangeTestPicture(test),
    linePicture(critical),
    sharpnessPicture(sharpness),
    spectrumPicture(density),
  ];
  const svgs = await Promise.all(pictures.map((picture) => drawSvg(picture, { vega, vegaLite })));
  return reportHtml(advice, svgs, 'The learning rate of an MLP on MNIST');
}
