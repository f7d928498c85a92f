import { lesson, recipeOf } from '@frugal/example-mnist';
import { atLeast, type ExampleOptions, type Io, percent, type Target } from '@frugal/example-support';
import { formatBytes, formatFlops } from '@frugal/tensor';
import { learn, type Method, type MethodId, methodsFor, type Outcome } from './methods.ts';

const settings = {
  full: { sizes: [784, 512, 512, 10], epochs: 4, images: 55_000, target: 0.97 },
  quick: { sizes: [784, 128, 128, 10], epochs: 1, images: 20_000, target: 0.87 },
};

type Row = { readonly method: Method; readonly outcome?: Outcome; readonly loss?: number };

/** The same network on the same images, by eight ways to find a gradient. */
export async function runForwardVsBackprop(options: ExampleOptions, io: Io): Promise<readonly Target[]> {
  const { sizes, epochs, images, target } = options.quick ? settings.quick : settings.full;
  const { name, reason } = await io.start(options.backend);
  io.print(`${name}: ${reason}`);
  io.print(
    `MLP ${sizes.join('-')}, ${epochs} epoch${epochs > 1 ? 's' : ''} of ${images} images, Adam, a rate for each method.\n`,
  );
  const recipe = { ...recipeOf('mlp', options.quick), images, batchSize: 128 };
  const data = lesson(await io.mnist(), recipe, options.seed);

  const methods = methodsFor(sizes);
  const rows: Row[] = Object.values(methods).map((method) => ({ method }));
  for (const [i, { method }] of rows.entries()) {
    const outcome = await learn(method, data, {
      epochs,
      seed: options.seed,
      batchSize: 128,
      listeners: [
        async (events) => {
          for await (const event of events) {
            if (event.type !== 'step' || event.loss === undefined || event.step % 25 !== 0 || !io.live) continue;
            rows[i] = { method, loss: event.loss };
            io.frame(table(rows));
          }
        },
      ],
    });
    rows[i] = { method, outcome };
    if (io.live) io.frame(table(rows));
  }
  if (!io.live) io.print(table(rows));
  const accuracy = (id: MethodId): number => rows.find(({ method }) => method === methods[id])!.outcome!.accuracy;
  io.print(`\n${verdict(accuracy)}`);
  return [
    atLeast('accuracy of the best forward-only method, 8 units a group', accuracy('greedy'), target, percent),
    atLeast('its lead over frozen hidden layers', accuracy('greedy') - accuracy('frozen'), 0.005, percent),
    atLeast('accuracy of backprop', accuracy('backprop'), target, percent),
  ];
}

function table(rows: readonly Row[]): string {
  const base = rows[0]!.outcome;
  const heads = ['method', 'accuracy', 'seconds', 'FLOPs a step', '÷ backprop', 'peak memory'];
  const body = rows.map(({ method, outcome, loss }) => {
    if (outcome === undefined)
      return [method.name, loss === undefined ? '' : `loss ${loss.toFixed(3)}`, '', '', '', ''];
    const { accuracy, seconds, steps, cost } = outcome;
    return [
      method.name,
      percent(accuracy),
      seconds.toFixed(1),
      formatFlops(cost.flops / steps),
      base === undefined ? '' : (cost.flops / steps / (base.cost.flops / base.steps)).toFixed(2),
      formatBytes(cost.peakBytes),
    ];
  });
  const widths = heads.map((head, i) => Math.max(head.length, ...body.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return [line(heads), widths.map((width) => '─'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}

/** Says plainly who won. */
function verdict(accuracy: (id: MethodId) => number): string {
  const [reverse, greedy, exact, one] = (['backprop', 'greedy', 'exact', 'weights1'] as const).map((id) =>
    percent(accuracy(id)),
  );
  const winner = accuracy('backprop') > accuracy('greedy') ? 'Backprop learns more' : 'Backprop learns no more';
  return [
    `${winner} from the same images (${reverse} against ${greedy}), and nothing forward-only here needs many fewer FLOPs.`,
    `Local learning by random activities comes close, and equals exact local learning (${exact}) with one unit a group;`,
    `perturbing the weights of a network of this size does not (${one} with one direction).`,
    'Go forward-only where a backend cannot go back, or where memory must not grow with depth.',
  ].join('\n');
}
