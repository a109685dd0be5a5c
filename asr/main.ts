import { setPriority } from 'node:os';
import { runChild } from '@earshot/platform';
import { fileURLToPath } from 'node:url';
import { isRemoteAddress } from './src/network/address.ts';
import { startRemoteAsr } from './src/network/service.ts';
import { startAsr } from './src/server/service.ts';

const SHIPPED_MODEL = fileURLToPath(new URL('./model', import.meta.url));

// Whoever takes calls and packets in comes first: audio waits in the spool for its words, packets are lost when nobody reads them.
// Threads made later, the model's among them, take this from the one that makes them.
setPriority(5);

await runChild('asr', ({ config, log, registry, runDir, instance }) => {
  const common = { runDir, instance, log, registry };
  const model = config.asrModel ?? SHIPPED_MODEL;
  if (isRemoteAddress(model)) {
    return startRemoteAsr({ ...common, address: model, key: config.asrKey, engines: config.asrEngines });
  }
  return startAsr({
    ...common,
    modelFolder: model,
    onFailure: (error) => {
      // Host starts another; the media workers open their channels again from the committed ticks.
      log.fatal({ err: error }, 'model failed');
      process.exit(70);
    },
  });
});
