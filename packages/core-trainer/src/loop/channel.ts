import type { Event } from '@frugal/tensor';

/** Events that one listener may be behind. */
export const CAPACITY = 4096;

/** One listener's queue: the oldest events give way to new ones, and it is told how many. */
class Subscription implements AsyncIterableIterator<Event> {
  #queue: Event[] = [];
  #head = 0;
  #dropped = 0;
  #waiting: { resolve(result: IteratorResult<Event>): void; reject(error: unknown): void }[] = [];
  #closed = false;
  #error: unknown;
  readonly #leave: (self: Subscription) => void;
  readonly #quiet: boolean;

  constructor(leave: (self: Subscription) => void, quiet: boolean) {
    this.#leave = leave;
    this.#quiet = quiet;
  }

  push(event: Event): void {
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) {
      waiting.resolve({ done: false, value: event });
      return;
    }
    if (this.#queue.length - this.#head === CAPACITY) {
      this.#head++;
      this.#dropped++;
    }
    if (this.#head > CAPACITY) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#queue.push(event);
  }

  close(error?: unknown): void {
    this.#closed = true;
    this.#error = this.#quiet ? undefined : error;
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      if (this.#error === undefined) resolve({ done: true, value: undefined });
      else reject(this.#takeError());
    }
  }

  #takeError(): unknown {
    const error = this.#error;
    this.#error = undefined;
    return error;
  }

  async next(): Promise<IteratorResult<Event>> {
    const first = this.#queue[this.#head];
    if (first !== undefined && this.#dropped > 0) {
      const message = `${this.#dropped} events were dropped: this listener is slower than the run.`;
      this.#dropped = 0;
      const step = 'step' in first ? first.step : first.resumedAt;
      return { done: false, value: { type: 'note', time: first.time, step, message } };
    }
    if (first !== undefined) {
      this.#head++;
      return { done: false, value: first };
    }
    if (this.#error !== undefined) throw this.#takeError();
    if (this.#closed) return { done: true, value: undefined };
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
  }

  async return(): Promise<IteratorResult<Event>> {
    this.#leave(this);
    this.#queue = [];
    this.#head = 0;
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/** Hands each event to every listener that iterates; nobody waits for a slow one. */
export class EventChannel {
  readonly #subscriptions = new Set<Subscription>();
  #closed = false;
  #error: unknown;

  push(event: Event): void {
    for (const subscription of this.#subscriptions) subscription.push(event);
  }

  /** Ends all iterations, after what is queued; with an error they throw it. */
  close(error?: unknown): void {
    this.#closed = true;
    this.#error = error;
    for (const subscription of this.#subscriptions) subscription.close(error);
    this.#subscriptions.clear();
  }

  /** @param quiet End the iteration without throwing when the run fails. */
  subscribe(quiet = false): AsyncIterableIterator<Event> {
    const subscription = new Subscription((self) => this.#subscriptions.delete(self), quiet);
    if (this.#closed) subscription.close(this.#error);
    else this.#subscriptions.add(subscription);
    return subscription;
  }
}
