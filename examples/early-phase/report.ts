import {
  type CriticalRate,
  drawSvg,
  linePicture,
  miniaturesPicture,
  type RangeTest,
  type Recommendation,
  rangeTestPicture,
  reportHtml,
} from '@frugal/lr-probe';
import * as vega from 'vega';
import * as vegaLite from 'vega-lite';

/** What was found, as one HTML file that needs no network. */
export async function htmlReport({
  advice,
  critical,
  test,
}: {
  advice: Recommendation;
  critical: CriticalRate;
  test: RangeTest;
}): Promise<string> {
  const pictures = [miniaturesPicture(advice), rangeTestPicture(test), linePicture(critical)];
  const svgs = await Promise.all(pictures.map((picture) => drawSvg(picture, { vega, vegaLite })));
  return reportHtml(advice, svgs, 'The learning rate of an MLP on MNIST');
}
