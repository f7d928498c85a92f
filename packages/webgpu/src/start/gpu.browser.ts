/** Where adapters come from: one or several ways to ask, tried in order. */
export type Instance = () => Promise<GPU | undefined>;

/** In a page or worker there is one: `navigator.gpu`. */
export function instances(_vulkan?: string, _software?: boolean): Instance[] {
  return [async () => globalThis.navigator?.gpu];
}

/** Why there is no WebGPU at all. */
export const absent = {
  reason: 'This browser has no WebGPU here.',
  fix: 'Use a browser with WebGPU (Chrome or Edge 113, Safari 26, Firefox 141 or newer), on https or localhost.',
} as const;

/** Why no adapter was given. */
export const noAdapter = {
  reason: 'The browser gives no GPU adapter.',
  fix: "Switch on hardware acceleration in the browser's settings and update the graphics driver.",
} as const;

/** What the backend needs before it is made. */
export function publish(_gpu: GPU): void {}
