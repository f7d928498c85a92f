import { type ModuleState, type Tree, treeClone, treeDispose } from '@frugal/tensor';

/** Where a run stands: all that the next step depends on, beside the key. */
export interface Progress<P extends Tree> {
  params: P;
  optimizer: Tree;
  state: ModuleState;
  /** Updates made. */
  step: number;
}

/** A copy that shares memory until either is written. */
export function cloneProgress<P extends Tree>(progress: Progress<P>): Progress<P> {
  return {
    params: treeClone(progress.params),
    optimizer: treeClone(progress.optimizer),
    state: progress.state.clone(),
    step: progress.step,
  };
}

/** Frees everything that a progress holds. */
export function disposeProgress(progress: Progress<Tree>): void {
  treeDispose(progress.params);
  treeDispose(progress.optimizer);
  progress.state.dispose();
}
