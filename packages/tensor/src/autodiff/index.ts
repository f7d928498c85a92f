export type { Aux, ValueAndGradOptions } from './value-and-grad.ts';
export { valueAndGrad } from './value-and-grad.ts';
export type { Pullback } from './vjp.ts';
export { vjp } from './vjp.ts';
