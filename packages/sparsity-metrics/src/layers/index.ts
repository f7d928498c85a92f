export { type ActivityOfEpoch, type WatchFitOptions, watchFit, ZerosCallback } from './watch-fit.ts';
