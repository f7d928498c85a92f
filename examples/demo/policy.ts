import { miniatureRuns, type Policy, quickMiniatures } from '@frugal/lr-probe';

/** The quick setting, its miniatures judged by more examples: 256 leave the pick to chance on some seeds. */
export const policy: Policy = miniatureRuns({ ...quickMiniatures, examples: 1024 });
