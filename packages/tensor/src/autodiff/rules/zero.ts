import { each, type RuleTable } from './entry.ts';

/** Piecewise constant: the derivative is zero almost everywhere. */
export const zeroRules: RuleTable = each(
  [
    ...['All', 'Any', 'Equal', 'NotEqual', 'Less', 'LessEqual', 'Greater', 'GreaterEqual'],
    ...['LogicalAnd', 'LogicalNot', 'LogicalOr', 'LogicalXor', 'IsFinite', 'IsInf', 'IsNan', 'BitwiseAnd'],
    ...['ArgMax', 'ArgMin', 'OneHot', 'SearchSorted', 'LowerBound', 'UpperBound', 'BroadcastArgs', 'FrugalCountAbove'],
    ...['Ceil', 'Floor', 'FloorDiv', 'Round', 'Sign', 'Step', 'OnesLike', 'ZerosLike'],
    ...['Multinomial', 'NonMaxSuppressionV3', 'NonMaxSuppressionV4'],
  ],
  { kind: 'zero', many: true, rule: () => null },
);
