export { trackAsyncInterpreters } from './async-interpreters.ts';
export { type EnergyCounters, type EnergyCountersOptions, energyCounters } from './energy.ts';
export { loadSafetensors, saveSafetensors, withSafetensors, writeFileAtomic } from './files.ts';
export { type BackendName, backendByName, backendNames } from './providers.ts';
export { type BackendChoice, describeBackends, useBackend } from './use-backend.ts';
