// What a user's bundle gains by the loop, an optimizer, a backend switch and the meter: measured by size-limit.
export { adamw, backprop, train } from '@frugal/core-trainer';
export { meter, useBackend } from '@frugal/tensor';
