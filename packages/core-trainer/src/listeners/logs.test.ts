import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import type { Event } from '@frugal/tensor';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crc32c } from '../checkpoint/index.ts';
import { jsonlFile, lineChart, progressBar, tensorBoardFolder, terminalChart } from '../node/index.ts';
import { summaryRecord, tfRecord, versionRecord } from './event-file.ts';
import { jsonl } from './index.ts';

const events: Event[] = [
  { type: 'start', time: 0, totalSteps: 2, parameters: 3, backend: 'cpu', resumedAt: 0 },
  { type: 'step', time: 1000, step: 1, epoch: 0, loss: 2.5, examples: 8, metrics: { learningRate: 0.5 } },
  { type: 'step', time: 2000, step: 2, epoch: 0, loss: Number.NaN, examples: 8, metrics: { learningRate: 0.25 } },
  { type: 'note', time: 2100, step: 2, message: 'ćma' },
  { type: 'epoch', time: 2500, epoch: 0, step: 2, loss: 1.5, metrics: { flops: 2e9, wattHours: 0.001 } },
  { type: 'evaluation', time: 3000, epoch: 1, step: 300, metrics: { accuracy: 0.75 } },
  { type: 'end', time: 3100, step: 2, epoch: 1, reason: 'finished', metrics: { accuracy: 0.75 } },
];

async function* play(): AsyncGenerator<Event> {
  yield* events;
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'frugal-logs-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('jsonl', () => {
  it('writes a line per event, and appends', async () => {
    const path = join(folder, 'a', 'run.jsonl');
    await jsonlFile(path)(play());
    await jsonlFile(path)(play());
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(2 * events.length);
    expect(JSON.parse(lines[1]!)).toEqual(events[1]);
    expect(JSON.parse(lines[2]!)).toEqual({ ...events[2], loss: null });
    await expect(jsonlFile(folder)(play())).rejects.toThrow(/EISDIR/);
    await expect(jsonl(() => Promise.reject(new Error('full')))(play())).rejects.toThrow('full');
  });
});

/** Reads a protocol buffer without knowing its meaning: fields by number, as bytes or numbers. */
function fields(bytes: Uint8Array): [field: number, value: number | Uint8Array][] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const out: [number, number | Uint8Array][] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  const skip = (length: number): number => {
    at += length;
    return at - length;
  };
  while (at < bytes.length) {
    const tag = varint();
    const [field, wire] = [tag >> 3, tag & 7];
    if (wire === 0) out.push([field, varint()]);
    else if (wire === 1) out.push([field, view.getFloat64(skip(8), true)]);
    else if (wire === 5) out.push([field, view.getFloat32(skip(4), true)]);
    else {
      const start = skip(varint());
      out.push([field, bytes.subarray(start, at)]);
    }
  }
  return out;
}

const part = (bytes: number | Uint8Array | undefined, field: number) =>
  fields(bytes as Uint8Array).find(([f]) => f === field)?.[1];

describe('TensorBoard event files', () => {
  it('frames records as TensorFlow does', () => {
    const data = new TextEncoder().encode('123456789');
    const record = tfRecord(data);
    const view = new DataView(record.buffer);
    const unmask = (masked: number): number => {
      const rotated = (masked - 0xa282ead8) >>> 0;
      return ((rotated >>> 17) | (rotated << 15)) >>> 0;
    };
    expect(view.getBigUint64(0, true)).toBe(9n);
    expect(unmask(view.getUint32(8, true))).toBe(crc32c(record.slice(0, 8)));
    expect(record.slice(12, 21)).toEqual(data);
    expect(unmask(view.getUint32(21, true))).toBe(0xe3069283); // RFC 3720's value for '123456789'
    expect(record).toHaveLength(25);
  });

  it('writes the fields of event.proto and summary.proto', () => {
    const version = versionRecord(1.5).slice(12, -4);
    expect(part(version, 1)).toBe(1.5);
    expect(new TextDecoder().decode(part(version, 3) as Uint8Array)).toBe('brain.Event:2');
    const step = 2 ** 40 + 3;
    const event = summaryRecord(2.5, step, [
      { tag: 'loss', scalar: 0.25 },
      { tag: 'n', text: 'x' },
    ]).slice(12, -4);
    expect([part(event, 1), part(event, 2)]).toEqual([2.5, step]);
    const [scalar, text] = fields(part(event, 5) as Uint8Array).map(([, value]) => value);
    expect(new TextDecoder().decode(part(scalar, 1) as Uint8Array)).toBe('loss');
    expect(part(scalar, 2)).toBe(0.25);
    expect(new TextDecoder().decode(part(part(text, 8), 8) as Uint8Array)).toBe('x');
    expect(new TextDecoder().decode(part(part(part(text, 9), 1), 1) as Uint8Array)).toBe('text');
  });

  const script = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
run = EventAccumulator(sys.argv[1]); run.Reload()
tags = run.Tags()
scalars = {t: [[e.step, e.value, e.wall_time] for e in run.Scalars(t)] for t in tags['scalars']}
texts = {t: [e.tensor_proto.string_val[0].decode() for e in run.Tensors(t)] for t in tags['tensors'] if t.startswith('notes/')}
tensors = {t: [[e.step, e.tensor_proto.float_val[0]] for e in run.Tensors(t)] for t in tags['tensors'] if not t.startswith('notes/')}
print(json.dumps({'scalars': scalars, 'texts': texts, 'tensors': tensors}).replace('NaN', 'null'))
`;
  const python = process.env.FRUGAL_PYTHON ?? 'python3';
  const run = promisify(execFile);
  const required = (process.env.FRUGAL_REQUIRE ?? '').split(',').includes('tensorboard');

  it('are read by the real TensorBoard', async (context) => {
    const available = await run(python, ['-c', 'import tensorboard']).then(
      () => true,
      () => false,
    );
    if (!available && !required) context.skip(`'${python}' has no tensorboard: pip install tensorboard`);
    await tensorBoardFolder(folder)(play());
    expect((await readdir(folder))[0]).toMatch(/^events\.out\.tfevents\./);
    const { stdout } = await run(python, ['-c', script, folder]);
    const { scalars, texts, tensors } = JSON.parse(stdout.trim().split('\n').at(-1)!);
    const pairs = {
      ...tensors,
      ...Object.fromEntries(
        Object.entries(scalars).map(([tag, rows]) => [tag, (rows as number[][]).map(([step, value]) => [step, value])]),
      ),
    };
    expect(pairs).toEqual({
      'step/loss': [
        [1, 2.5],
        [2, null],
      ],
      'step/learningRate': [
        [1, 0.5],
        [2, 0.25],
      ],
      'epoch/loss': [[2, 1.5]],
      'epoch/flops': [[2, 2e9]],
      'epoch/wattHours': [[2, Math.fround(0.001)]],
      'evaluation/accuracy': [[300, 0.75]],
    });
    expect(texts).toEqual({ 'notes/note': ['ćma'] });
  });
});

describe('on the terminal', () => {
  const terminal = (isTTY: boolean) => {
    const stream = Object.assign(new PassThrough(), { isTTY, columns: 120 });
    let text = '';
    stream.on('data', (chunk) => {
      text += chunk;
    });
    return { stream, text: () => text };
  };

  it('progressBar draws a bar on a terminal', async () => {
    const { stream, text } = terminal(true);
    await progressBar({ stream })(play());
    await new Promise(setImmediate);
    expect(text()).toMatch(/0 % {2}step 0\/2 {2}epoch 1/);
    expect(text()).toMatch(/evaluation at step 300 {2}accuracy 0.7500/);
    expect(text()).toMatch(/finished after 2 steps in 3.1 s {2}accuracy 0.7500/);
  });

  it('progressBar writes plain lines elsewhere', async () => {
    const { stream, text } = terminal(false);
    await progressBar({ stream })(play());
    await new Promise(setImmediate);
    expect(text().trimEnd().split('\n')).toEqual([
      'ćma',
      'epoch 1  step 2  loss 1.500  2.00 GFLOP, 0.0010 Wh',
      'evaluation at step 300  accuracy 0.7500',
      'finished after 2 steps in 3.1 s  accuracy 0.7500',
    ]);
  });

  it('terminalChart draws the losses so far', async () => {
    const drawn: string[] = [];
    await terminalChart({ print: (text) => void drawn.push(text), height: 3 })(play());
    expect(drawn).toHaveLength(1);
    expect(drawn[0]).toContain('loss, 2 steps, epoch 1');
  });

  it('lineChart keeps to its size and ends at its extremes', () => {
    const chart = lineChart(
      Array.from({ length: 1000 }, (_, i) => i),
      { width: 40, height: 5 },
    );
    const lines = chart.split('\n');
    expect(lines).toHaveLength(5);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40 + 12);
    expect(lines[0]).toContain('987'); // the mean of the last 25
    expect(lines[4]).toContain('12.0');
    expect(lineChart([Number.NaN])).toBe('');
  });
});
