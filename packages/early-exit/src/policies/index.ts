export {
  entropyOf,
  fixedDepth,
  lowEntropy,
  margin,
  maxProbability,
  probabilityMargin,
  topProbability,
} from './confidence.ts';
export { type FitGateOptions, fitGate, type GateWeights, learnedGate } from './gate.ts';
export { arithmeticEnsemble, geometricEnsemble, patience } from './memory.ts';
export { type ExitPolicy, makePolicy, rowPolicy, type Scorer } from './policy.ts';
