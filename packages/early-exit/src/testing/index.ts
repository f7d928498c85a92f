export { type PolicyCheck, policyContract } from './policy-contract.ts';
