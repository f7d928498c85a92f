import { sgd } from '@frugal/core-trainer';
import { key } from '@frugal/tensor';
import { describeEachBackend } from '@frugal/test-support';
import * as vega from 'vega';
import * as vegaLite from 'vega-lite';
import { describe, expect, it } from 'vitest';
import { probe } from '../advice/probe.ts';
import { spectralDensity } from '../curvature/density.ts';
import { hessian } from '../curvature/operators.ts';
import { blobs, release } from '../fixtures/problems.ts';
import { criticalRate } from '../probes/critical-rate.ts';
import { rangeTest } from '../probes/range-test.ts';
import { drawSvg, reportHtml } from './draw.ts';
import { linePicture, miniaturesPicture, rangeTestPicture, sharpnessPicture, spectrumPicture } from './specs.ts';
import { terminalChart } from './terminal.ts';

const draw = (picture: object): Promise<string> => drawSvg(picture as never, { vega, vegaLite });

describeEachBackend('pictures', (backend) => {
  it.runIf(backend === 'wasm')(
    'show what was measured, and stand in a report that needs nothing else',
    async () => {
      const problem = blobs();
      const test = await rangeTest(problem, { optimizer: sgd, steps: 60 });
      const critical = await criticalRate(problem, { optimizer: sgd });
      const advice = await probe(problem, { optimizer: sgd, steps: 96 });
      const operator = hessian(problem.loss, problem.params, [...(problem.data as never[])].slice(0, 1));
      const density = await spectralDensity(operator, { key: key(1), steps: 20 });
      operator.dispose();
      const svgs = await Promise.all([
        draw(rangeTestPicture(test)),
        draw(linePicture(critical)),
        draw(miniaturesPicture(advice)),
        draw(sharpnessPicture([1, 2, 3].map((step) => ({ step, loss: 1, sharpness: step, threshold: 2.5 })))),
        draw(spectrumPicture(density)),
      ]);
      for (const rule of ['steep', 'minimum', 'valley']) expect(svgs[0]).toContain(`>${rule}</text>`);
      expect(svgs[1]).toContain(`η_c = ${critical.rate.toPrecision(3)}`);
      expect(svgs[2]).toContain(`recommended: ${advice.rate.toPrecision(2)}`);
      expect(svgs[3]).toContain('stability threshold');
      for (const svg of svgs) {
        expect(svg).toMatch(/^<svg[^>]*><title>[A-Za-z ]+<\/title>/);
        expect(svg).not.toMatch(/NaN|undefined|Infinity/);
      }
      const html = reportHtml(advice, svgs, 'A <test>');
      expect(html).toContain('A &lt;test&gt;');
      expect(html).toContain(advice.reasons[0]);
      // Nothing is fetched: no scripts, no references but the names of namespaces.
      expect(html).not.toMatch(/<script|<link|src=|url\((?!#)|href="http/);
      release(problem);
    },
    120_000,
  );
});

describe('the terminal version', () => {
  it('draws a curve with its marks', () => {
    const points = Array.from({ length: 40 }, (_, i) => ({ x: 10 ** (-4 + i / 10), y: (i - 20) ** 2 }));
    const chart = terminalChart([...points, { x: 1, y: Number.NaN }], {
      log: true,
      height: 8,
      width: 40,
      marks: { best: 0.01, none: undefined },
    });
    const lines = chart.split('\n');
    expect(lines).toHaveLength(11);
    expect(lines[0]).toMatch(/^ *400 ┤•/);
    expect(lines[7]).toContain('•');
    expect(lines.at(-1)).toContain('┊ best 0.0100');
    expect(lines.at(-1)).not.toContain('none');
    expect(lines[3]!.indexOf('┊')).toBeGreaterThan(0);
    expect(terminalChart(points, { ceiling: 100 }).split('\n')[0]).toContain('100');
    expect(terminalChart([{ x: 1, y: Number.NaN }])).toBe('(nothing to show)');
  });
});
