// node --require @frugal/libtensorflow/register app.mjs: tfjs-node and tfjs-node-gpu of an unmodified program find the
// TensorFlow that was set up, at the moment they are loaded.
import { chooseInstallation } from './cache/installation.ts';
import { answerWith } from './load/hook.ts';
import { quieten } from './load/load.ts';

quieten();
answerWith(() => chooseInstallation().binding);
