export { trackAsyncInterpreters } from './async-interpreters.ts';
