import type { Order, Question, Report } from './protocol.ts';

/** The worker that trains, and the questions it has not answered yet. */
export class WorkerClient {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #asked = 0;

  constructor(report: (report: Report) => void) {
    this.#worker = new Worker(new URL('./worker/worker.ts', import.meta.url), { type: 'module' });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<Report>) => {
      if (data.type !== 'answer') return report(data);
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.error === undefined) waiting?.resolve(data.answer);
      else waiting?.reject(new Error(data.error));
    });
    this.#worker.addEventListener('error', (event) => report({ type: 'failed', message: event.message }));
  }

  send(order: Order): void {
    this.#worker.postMessage(order);
  }

  ask<T>(question: Question): Promise<T> {
    const id = this.#asked++;
    const answer = new Promise<T>((resolve, reject) => this.#waiting.set(id, { resolve: resolve as never, reject }));
    this.send({ type: 'ask', id, question });
    return answer;
  }

  /** Ends the worker; questions that were not answered fail. */
  close(): void {
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(new Error('The run was ended.'));
  }
}
