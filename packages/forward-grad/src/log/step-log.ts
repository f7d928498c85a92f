import { FrugalError, type Key } from '@frugal/tensor';

/** A training step as data: which directions, and what was measured along them. */
export interface LoggedStep {
  readonly key: Key;
  /** One number per direction. */
  readonly scalars: Float32Array;
}

/** The steps of a run. */
export interface StepLog {
  /** Numbers per step. */
  readonly directions: number;
  readonly steps: readonly LoggedStep[];
}

const MAGIC = 0x314c4746; // 'FGL1'
const HEADER = 12;

const bytesPerStep = (directions: number): number => 8 + 4 * directions;

/**
 * A log as bytes: 12 for all, then 8 + 4 K for each step, whatever the size of the model.
 *
 * Little-endian words: 'FGL1', K, number of steps; per step the key (`lo`, `hi`) and K float32.
 *
 * @throws {FrugalError} `BAD_LOG` if a step has another number of scalars than the log says.
 */
export function encodeSteps({ directions, steps }: StepLog): Uint8Array {
  const bytes = new Uint8Array(HEADER + steps.length * bytesPerStep(directions));
  const view = new DataView(bytes.buffer);
  for (const [i, word] of [MAGIC, directions, steps.length].entries()) view.setUint32(4 * i, word, true);
  let at = HEADER;
  for (const [i, { key, scalars }] of steps.entries()) {
    if (scalars.length !== directions) {
      throw new FrugalError('BAD_LOG', `Step ${i} has ${scalars.length} scalars, the log says ${directions}.`);
    }
    view.setUint32(at, key.lo, true);
    view.setUint32(at + 4, key.hi, true);
    for (const [k, scalar] of scalars.entries()) view.setFloat32(at + 8 + 4 * k, scalar, true);
    at += bytesPerStep(directions);
  }
  return bytes;
}

/**
 * Reads what `encodeSteps` wrote.
 *
 * @throws {FrugalError} `BAD_LOG` for anything else; says what.
 */
export function decodeSteps(bytes: Uint8Array): StepLog {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER || view.getUint32(0, true) !== MAGIC) {
    throw new FrugalError('BAD_LOG', 'These bytes are no log of steps: they do not begin with FGL1.');
  }
  const directions = view.getUint32(4, true);
  const count = view.getUint32(8, true);
  const size = HEADER + count * bytesPerStep(directions);
  if (directions === 0 || bytes.length !== size) {
    throw new FrugalError(
      'BAD_LOG',
      `A log of ${count} steps with ${directions} directions has ${size} bytes, got ${bytes.length}. Is it complete?`,
    );
  }
  const steps = Array.from({ length: count }, (_, i): LoggedStep => {
    const at = HEADER + i * bytesPerStep(directions);
    const scalars = Float32Array.from({ length: directions }, (_, k) => view.getFloat32(at + 8 + 4 * k, true));
    return { key: { lo: view.getUint32(at, true), hi: view.getUint32(at + 4, true) }, scalars };
  });
  return { directions, steps };
}
