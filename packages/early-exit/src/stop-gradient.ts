export { stopGradient } from '@frugal/tensor';
