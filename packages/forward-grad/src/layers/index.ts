export { type ForwardOptimizer, type ForwardOptimizerOptions, forwardOptimizer } from './forward-optimizer.ts';
export { type LocalOptimizer, type LocalOptimizerOptions, localOptimizer } from './local-optimizer.ts';
