export {
  type MakeRouter,
  type RouterCheck,
  type RouterContractOptions,
  RouterViolation,
  routerContract,
} from './contract.ts';
export { denseReference } from './dense-reference.ts';
