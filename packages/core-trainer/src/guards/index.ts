export { type Culprit, findCulprit } from './culprit.ts';
export { nonFinitePaths, sumOf } from './finite.ts';
export {
  describeFinding,
  type Finding,
  type Guard,
  type GuardOptions,
  NonFiniteError,
  resolveGuard,
} from './guard.ts';
