/** Base of the errors that Frugal throws on purpose; `code` stays stable, the message says what to do next. */
export class FrugalError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}
