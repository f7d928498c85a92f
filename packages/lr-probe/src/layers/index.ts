export {
  type AdviseFit,
  type AdviseFitOptions,
  adviseFit,
  type LayersProblemOptions,
  layersProblem,
  type ModuleOfModel,
} from './fit.ts';
export { type TrackFit, trackFit } from './track.ts';
