export type { MakeOptimizer } from './check.ts';
export { ContractViolation } from './compare.ts';
export { type ContractCheck, type OptimizerContractOptions, optimizerContract } from './contract.ts';
