export { type ForwardOptimizer, type ForwardOptimizerOptions, forwardOptimizer } from './forward-optimizer.ts';
