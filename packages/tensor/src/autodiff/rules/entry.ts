import type { JvpRule } from '../jvp-call.ts';

/** How a rule works, for the table in docs/autodiff.md. */
export type RuleKind = 'linear' | 'product' | 'element-wise' | 'zero' | 'by hand' | 'composed';

/** A rule as it stands in the table. */
export interface RuleEntry {
  readonly kind: RuleKind;
  readonly rule: JvpRule;
  /** Whether the rule takes tangents with an axis of directions; otherwise it is called once for each. */
  readonly many: boolean;
  /** What a reader should know: conventions at kinks, inputs that must not have a tangent. */
  readonly note?: string;
}

export type RuleTable = Readonly<Record<string, RuleEntry>>;

/** The same value for several kernels. */
export function each<T>(kernels: readonly string[], value: T): Readonly<Record<string, T>> {
  return Object.fromEntries(kernels.map((kernel) => [kernel, value]));
}
