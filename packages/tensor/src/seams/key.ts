/**
 * A key of the counter-based generator Philox4x32-10: the only source of randomness in Frugal.
 *
 * Two 32-bit words. Equal keys give equal bits; derive others by `split` and `foldIn`, never by arithmetic.
 */
export interface Key {
  readonly hi: number;
  readonly lo: number;
}
