// Threads that claim chunks. Control block (byte offsets): 0 claim word (sequence << 32 | chunks left), 64 chunks done,
// 128 workers ready, 132 workers crashed, 192 op, 196 chunks, 200 scratch address, 204 scratch bytes per thread, 256 arguments.
import { run } from './dispatch';
import { int } from './prelude';

const DONE: usize = 64;
const READY: usize = 128;
const CRASHED: usize = 132;
const OP: usize = 192;
const CHUNKS: usize = 196;
const ARGS: usize = 256;

/** Takes one chunk of `sequence`; returns how many were left before, 0 if there is nothing to do. */
function claim(control: usize, sequence: i32): i32 {
  let word = atomic.load<i64>(control);
  for (;;) {
    if (<i32>(word >> 32) != sequence || <i32>word == 0) return 0;
    const seen = atomic.cmpxchg<i64>(control, word, word - 1);
    if (seen == word) return <i32>word;
    word = seen;
  }
  return 0;
}

/** The life of a worker: sleeps until the sequence changes, then helps. It never returns; nobody is owed a goodbye. */
export function worker(control: usize, thread: i32): void {
  let seen = atomic.load<i32>(control + 4);
  atomic.add<i32>(control + READY, 1);
  for (;;) {
    let sequence = atomic.load<i32>(control + 4);
    while (sequence == seen) {
      atomic.wait<i32>(control + 4, seen, -1);
      sequence = atomic.load<i32>(control + 4);
    }
    seen = sequence;
    let left = claim(control, sequence);
    while (left) {
      const chunks = load<i32>(control + CHUNKS);
      run(load<i32>(control + OP), control + ARGS, chunks - left, chunks, thread);
      atomic.add<i32>(control + DONE, 1);
      atomic.notify(control + DONE, 1);
      left = claim(control, sequence);
    }
  }
}

/** Runs an op on the calling thread alone. */
export function alone(control: usize, op: i32, chunks: i32): void {
  for (let chunk = 0; chunk < chunks; chunk++) run(op, control + ARGS, chunk, chunks, 0);
}

/** Publishes an op, wakes workers and works too; returns how many chunks workers have taken. */
export function dispatch(control: usize, op: i32, chunks: i32, workers: i32): i32 {
  store<i32>(control + OP, op);
  store<i32>(control + CHUNKS, chunks);
  atomic.store<i32>(control + DONE, 0);
  const sequence = atomic.load<i32>(control + 4) + 1;
  atomic.store<i64>(control, (<i64>sequence << 32) | <i64>chunks);
  atomic.notify(control + 4, workers);
  let taken = chunks;
  let left = claim(control, sequence);
  while (left) {
    run(op, control + ARGS, chunks - left, chunks, 0);
    taken--;
    left = claim(control, sequence);
  }
  return taken;
}

/** Waits until workers have done `taken` chunks, one crashed, or the patience ends; returns how many are done. */
export function finish(control: usize, taken: i32, spins: i32, milliseconds: i32): i32 {
  let done = atomic.load<i32>(control + DONE);
  while (done < taken && spins > 0) {
    done = atomic.load<i32>(control + DONE);
    spins--;
  }
  while (done < taken && milliseconds > 0) {
    if (atomic.load<i32>(control + CRASHED)) return done;
    if (atomic.wait<i32>(control + DONE, done, <i64>milliseconds * 1000000) == 2) return atomic.load<i32>(control + DONE);
    done = atomic.load<i32>(control + DONE);
  }
  return done;
}

/** Traps on workers; the main thread dawdles, so that a worker gets its chunk. For the tests of the pool. 0 loads */
export function opFault(args: usize, chunk: i32, chunks: i32, thread: i32): void {
  if (thread != 0) unreachable();
  for (let i = int(args, 0); i > 0; i--) atomic.load<i32>(args);
}
