import { FrugalError } from '../../errors.ts';
import type { JvpRule } from '../jvp-call.ts';
import { binaryRules } from './binary.ts';
import { elementwiseRules } from './elementwise.ts';
import type { RuleEntry, RuleTable } from './entry.ts';
import { frugalRules } from './frugal.ts';
import { fusedRules } from './fused.ts';
import { imageRules } from './images.ts';
import { indexingRules } from './indexing.ts';
import { normalisationRules } from './normalisation.ts';
import { ownRules } from './own.ts';
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
  ...ownRules,
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

/** A kernel ran on an input that has a tangent, and nothing says what its derivative is. */
export class NoJvpRuleError extends FrugalError {
  readonly kernel: string;

  constructor(kernel: string) {
    super(
      'NO_JVP_RULE',
      `jvp: kernel '${kernel}' has no rule. Register one with registerJvp('${kernel}', rule), ` +
        'or keep the kernel away from the inputs that are differentiated.',
    );
    this.kernel = kernel;
  }
}
