import { adam, classification, lossFunction, train } from '@frugal/core-trainer';
import { mlp } from '@frugal/nn';
import { cpu, createMeter, type Event, key, type Module, randomNormal, treeDispose, useBackend } from '@frugal/tensor';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { costReportHtml, formatCostReport } from './format.ts';
import { costReport, spentOf, spentOfEvents } from './report.ts';
import { chinchilla, chinchillaLoss, petaflopDays, trainingFlops } from './scaling.ts';

describe('scaling rules', () => {
  it('know GPT-3 and Chinchilla', () => {
    const flops = trainingFlops(175e9, 300e9);
    expect(flops).toBeCloseTo(3.15e23, -19);
    expect(petaflopDays(flops)).toBeGreaterThan(3640);
    expect(petaflopDays(flops)).toBeLessThan(3650);
    // Chinchilla itself: 70 billion parameters, 1.4 trillion tokens.
    const { parameters, tokens } = chinchilla(trainingFlops(70e9, 1.4e12));
    expect(parameters).toBeCloseTo(70e9, -1);
    expect(tokens).toBeCloseTo(1.4e12, -2);
    expect(chinchillaLoss(70e9, 1.4e12)).toBeLessThan(chinchillaLoss(280e9, 300e9)); // Gopher
    expect(chinchillaLoss(1e30, 1e30)).toBeCloseTo(1.69, 4);
    expect(() => trainingFlops(0, 1)).toThrow(/parameters must be a positive number, got 0/);
    expect(() => chinchilla(Number.NaN)).toThrow(/flops/);
  });
});

describe('costReport', () => {
  const entries = [
    { what: 'training', spent: { flops: 4e12, seconds: 36, joules: 3.6e6 } },
    {
      what: 'answers',
      by: 'early <exit>',
      spent: { flops: 1e9, seconds: 1, joules: 10 },
      instead: { flops: 4e9, seconds: 2, joules: 20 },
    },
  ];

  it('adds up, prices, and says what was saved', () => {
    const report = costReport(entries, { pricePerKwh: 0.5, pricePerHour: 100, currency: 'PLN', gridIntensity: 662 });
    expect(report.lines[0]).toMatchObject({ flops: 4e12, gramsCO2: 662, money: 0.5 + 1 });
    expect(report.total).toMatchObject({ flops: 4.001e12, seconds: 37, joules: 3_600_010 });
    expect(report.savings).toHaveLength(1);
    expect(report.savings[0]).toMatchObject({
      by: 'early <exit>',
      flops: 3e9,
      shares: { flops: 0.75, seconds: 0.5, joules: 0.5 },
    });
    expect(JSON.parse(JSON.stringify(report)).total.flops).toBe(4.001e12);
    const text = formatCostReport(report);
    expect(text).toMatch(/training +4\.00 TFLOP +36\.0 s +1\.00 kWh|training +4\.00 TFLOP +36\.0 s +1000 Wh/);
    expect(text).toContain('75.0 % of the FLOPs');
    const html = costReportHtml(report, { title: 'A & B' });
    expect(html).toContain('<h1>A &#38; B</h1>');
    expect(html).not.toMatch(/early <exit>|https?:|src=/);
    const json = /<script[^>]*>(.*)<\/script>/.exec(html)![1]!;
    expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify(report)));
  });

  it('leaves out what was not given, and refuses what makes no sense', () => {
    const report = costReport([
      { what: 'a', spent: { flops: 1 } },
      { what: 'b', spent: { seconds: 2 }, instead: { flops: 3 } },
    ]);
    expect(report.total).toMatchObject({ flops: undefined, seconds: undefined, joules: undefined, money: undefined });
    expect(report.savings[0]!.shares).toEqual({});
    expect(formatCostReport(report)).not.toMatch(/NaN|undefined/);
    expect(costReportHtml(report)).not.toMatch(/NaN|undefined/);
    expect(costReport([{ what: 'worse', spent: { flops: 3 }, instead: { flops: 2 } }]).savings[0]!.shares.flops).toBe(
      -0.5,
    );
    expect(() => costReport([])).toThrow(/at least one entry/);
    expect(() => costReport([{ what: 'a', spent: { flops: -1 } }])).toThrow(/flops must be a number of at least 0/);
    expect(() => costReport(entries, { pricePerKwh: Number.NaN })).toThrow(/pricePerKwh/);
  });
});

describe('what a training spent', () => {
  beforeAll(() => useBackend(cpu()));

  it('is what its meter and its events say', async () => {
    const model = mlp([4, 8, 3]) as unknown as Module;
    const meter = createMeter({ watts: 10 });
    const events: Event[] = [];
    const data = async function* () {
      for (let i = 0; i < 3; i++)
        yield { x: randomNormal(key(i), [6, 4]), y: tf.tensor1d([0, 1, 2, 0, 1, 2], 'int32') };
    };
    const run = train({
      model,
      loss: lossFunction(model, classification().loss),
      optimizer: adam(1e-2),
      data: data() as never,
      steps: 3,
      key: key(1),
      meter,
      listeners: [
        async (all) => {
          for await (const event of all) events.push(event);
        },
      ],
    });
    const { params, optimizer, state } = await run.result;
    const [own, told] = [spentOf(meter.read()), spentOfEvents(events)!];
    expect(told.flops).toBe(own.flops);
    expect(told.seconds).toBeGreaterThan(0);
    expect(told.joules! / told.seconds!).toBeCloseTo(10, 3);
    expect(spentOfEvents([])).toBeUndefined();
    treeDispose([params, optimizer, state]);
  });
});
