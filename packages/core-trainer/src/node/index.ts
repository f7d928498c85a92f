export { directoryStore } from './directory-store.ts';
