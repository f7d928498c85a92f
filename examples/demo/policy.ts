import { miniatureRuns, type Policy } from '@frugal/lr-probe';

/** The quick setting, its miniatures judged by more examples: 256 leave the pick to chance on some seeds. */
export const policy: Policy = miniatureRuns({ share: 1 / 24, most: 50, examples: 1024 });
