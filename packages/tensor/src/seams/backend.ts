/** What is known about a backend before it starts. */
export interface Report {
  readonly name: string;
  readonly available: boolean;
  /** Why it is available or not, in one sentence. */
  readonly reason: string;
  /** What would make it available, where it is not. */
  readonly fix?: string;
  /** Device, driver, threads, instruction set, … */
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** A backend that runs. */
export interface Started {
  readonly name: string;
  /** Why this one, in one sentence. */
  readonly reason: string;
  readonly details: Readonly<Record<string, string | number | boolean>>;
}

/** A backend as a value: pass it to `useBackend`. */
export interface BackendProvider {
  readonly name: string;
  /** Looks without starting; never throws. */
  describe(): Promise<Report>;
  /** Starts the backend and makes it tfjs's current one. Throws with what to do where it cannot. */
  start(): Promise<Started>;
}
