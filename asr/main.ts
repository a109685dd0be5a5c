import { runChild } from '@earshot/platform';
import { fileURLToPath } from 'node:url';
import { startAsr } from './src/server/service.ts';

const SHIPPED_MODEL = fileURLToPath(new URL('./model', import.meta.url));

await runChild('asr', ({ config, log, registry, runDir, instance }) =>
  startAsr({
    modelFolder: config.asrModel ?? SHIPPED_MODEL,
    runDir,
    instance,
    log,
    registry,
    onFailure: (error) => {
      // Host starts another; the media workers open their channels again from the committed ticks.
      log.fatal({ err: error }, 'model failed');
      process.exit(70);
    },
  }),
);
