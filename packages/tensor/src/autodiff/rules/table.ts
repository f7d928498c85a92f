import { FrugalError } from '../../errors.ts';
import type { JvpRule } from '../jvp-call.ts';
import { absentRules } from './absent.ts';
import { binaryRules } from './binary.ts';
import { elementwiseRules } from './elementwise.ts';
import type { RuleEntry, RuleKind, RuleTable } from './entry.ts';
import { frugalRules } from './frugal.ts';
import { fusedRules } from './fused.ts';
import { imageRules } from './images.ts';
import { indexingRules } from './indexing.ts';
import { normalisationRules } from './normalisation.ts';
import { poolingRules } from './pooling.ts';
import { productRules } from './products.ts';
import { reductionRules } from './reductions.ts';
import { shapeRules } from './shapes.ts';
import { spectralRules } from './spectral.ts';
import { zeroRules } from './zero.ts';

/** Every rule of ours, by kernel. */
export const jvpRules: RuleTable = {
  ...shapeRules,
  ...indexingRules,
  ...productRules,
  ...elementwiseRules,
  ...binaryRules,
  ...reductionRules,
  ...normalisationRules,
  ...poolingRules,
  ...fusedRules,
  ...imageRules,
  ...spectralRules,
  ...frugalRules,
  ...zeroRules,
};

const registered = new Map<string, RuleEntry>();

/** Options of `registerJvp`. */
export interface RegisterJvpOptions {
  /**
   * The rule takes tangents with a leading axis of directions (`call.lead`), so `jvpMany` calls it once.
   * Default: it is called once for each direction.
   */
  many?: boolean;
}

/**
 * Sets the derivative of a kernel for `jvp` and all that is built on it; it goes before a rule of ours.
 *
 * The shortest rule recomputes the kernel out of ops that have rules:
 *
 *     registerJvp('Swish', (call) => call.through(() => tf.mul(call.input('x'), tf.sigmoid(call.input('x')))))
 *
 * @param kernel Name in tfjs's kernel registry.
 * @param rule From the tangents of the inputs (`call.d('x')`, undefined for zero) to that of the output.
 * @returns Takes the rule back.
 */
export function registerJvp(kernel: string, rule: JvpRule, options: RegisterJvpOptions = {}): () => void {
  const entry: RuleEntry = { kind: 'by hand', rule, many: options.many ?? false };
  registered.set(kernel, entry);
  return () => {
    if (registered.get(kernel) === entry) registered.delete(kernel);
  };
}

export function findRule(kernel: string): RuleEntry | undefined {
  return registered.get(kernel) ?? (Object.hasOwn(jvpRules, kernel) ? jvpRules[kernel] : undefined);
}

/** What `jvp` knows of a kernel. */
export interface JvpCoverage {
  readonly kernel: string;
  /** How its rule works; undefined if there is none. */
  readonly kind: RuleKind | undefined;
  /** Whether `jvpMany` takes all directions at once; otherwise the rule is called once for each. */
  readonly many: boolean;
  /** What to know of the rule, or why there is none. */
  readonly note: string | undefined;
}

/** The kernels that `jvp` knows: those with rules, registered ones too, and those without and why, by name. */
export function listJvpRules(): JvpCoverage[] {
  const present = { ...jvpRules, ...Object.fromEntries(registered) };
  const covered = Object.entries(present).map(([kernel, { kind, many, note }]) => ({ kernel, kind, many, note }));
  const without = Object.entries(absentRules)
    .filter(([kernel]) => !Object.hasOwn(present, kernel))
    .map(([kernel, note]) => ({ kernel, kind: undefined, many: false, note }));
  return [...covered, ...without].sort((a, b) => (a.kernel < b.kernel ? -1 : 1));
}

/** A kernel ran on an input that has a tangent, and nothing says what its derivative is. */
export class NoJvpRuleError extends FrugalError {
  readonly kernel: string;

  constructor(kernel: string) {
    super(
      'NO_JVP_RULE',
      `jvp: kernel '${kernel}' has no rule${Object.hasOwn(absentRules, kernel) ? ` (${absentRules[kernel]})` : ''}. ` +
        `Register one with registerJvp('${kernel}', rule), or keep the kernel away from the inputs that are differentiated.`,
    );
    this.kernel = kernel;
  }
}
