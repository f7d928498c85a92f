// node --require @frugal/libtensorflow/register app.mjs: tfjs-node and tfjs-node-gpu of an unmodified program find the
// TensorFlow that was set up, at the moment they are loaded.
import { chooseInstallation } from './cache/installation.ts';
import { answerWith } from './load/hook.ts';
import { quieten } from './load/load.ts';
import { warnOfCpu } from './load/warn.ts';

quieten();
answerWith(() => {
  const installation = chooseInstallation();
  // Not before tfjs-node has loaded it.
  setImmediate(() => warnOfCpu(installation));
  return installation.binding;
});
