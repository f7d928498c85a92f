export { withPlans } from '@frugal/tensor';
export { applyBalanced, type Balanced, type BalanceLoss } from './apply-balanced.ts';
export { balanceBias } from './balance.ts';
export { type BalancedGroupsOptions, balancedGroups } from './convert/balanced-groups.ts';
export { coactivationGroups } from './convert/coactivation-groups.ts';
export {
  type ExpertBlock,
  type ExpertBlockOptions,
  type ExpertParamsOptions,
  expertBlock,
  expertParams,
} from './convert/expert-block.ts';
export {
  type NetworkBlockOptions,
  networkBlock,
  networkParams,
  projectionLoss,
} from './convert/projection-network.ts';
export { type FeedForward, type SplitOptions, splitFeedForward, squaredHoyer } from './convert/split.ts';
export { expertNorms, routerLoss } from './convert/teach-router.ts';
export { type ExpertKind, type Experts, type ExpertsParams, stackedExperts } from './experts.ts';
export { importanceLoss, loadLoss, switchLoss, zLoss } from './losses.ts';
export { type RoutingMetrics, routerEntropy, routingMetrics } from './metrics.ts';
export { type MoeLayer, type MoeOptions, type MoeParams, type MoeRun, moe, type RouteOptions } from './moe.ts';
export { type Capacity, type DispatchPlan, type PlanDispatchOptions, planDispatch } from './plan.ts';
export type { Plans } from './plans.ts';
export {
  type CalibrateBudgetOptions,
  calibrateBudget,
  type ModelRun,
  type RouteModelOptions,
  routeModel,
  runModel,
} from './route-model.ts';
export type { Router, Selection, SelectOptions } from './router.ts';
export { type DynamicKRouterOptions, type DynamicKRule, dynamicKRouter } from './routers/dynamic-k.ts';
export { type ExpertChoiceRouterOptions, expertChoiceRouter } from './routers/expert-choice.ts';
export { type NoisyRouterParams, type NoisyTopKRouterOptions, noisyTopKRouter } from './routers/noisy-top-k.ts';
export { type NormRouterOptions, type NormRouterParams, normRouter } from './routers/norm.ts';
export type { LinearRouterParams, ScoreName } from './routers/scores.ts';
export { type TopKRouterOptions, topKRouter } from './routers/top-k.ts';
export type { Dispatch, GatedExpertsParams, PlainExpertsParams } from './sparse-experts.ts';
