export { backprop } from './backprop.ts';
