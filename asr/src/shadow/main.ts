/** The shadow's process, started by host while a model is tried on live calls. */
import { setPriority } from 'node:os';
import { EarshotError } from '@earshot/contracts';
import { createPool, runChild } from '@earshot/platform';
import { SHIPPED_FOLDER } from '../catalogue/store.ts';
import { Shadow } from './shadow.ts';

// Threads made later, the model's among them, take this from the one that makes them.
setPriority(10);

await runChild('shadow', async ({ config, log, registry }) => {
  if (config.databaseUrl === null) throw new EarshotError('CONFIG_INVALID', 'DATABASE_URL is not set');
  const pool = createPool(config.databaseUrl, log, 1);
  const shadow = await Shadow.start({
    modelFolder: config.asrModel ?? SHIPPED_FOLDER,
    dataDir: config.dataDir,
    pool,
    registry,
    log,
    onFailure: (error) => {
      log.fatal({ err: error }, 'the shadow model failed');
      process.exit(70);
    },
  });
  return {
    info: { model: shadow.modelName },
    drain: async () => {
      await shadow.stop();
      await pool.end();
    },
  };
});
