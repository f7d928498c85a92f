export { type GateCheck, GateViolation, gateContract, type MakeGate } from './contract.ts';
export { denseReference } from './dense-reference.ts';
