import { EarshotError } from '@earshot/contracts';
import { createPool, runChild } from '@earshot/platform';
import { TranscriptsService } from './src/server/service.ts';

await runChild('transcripts', async ({ config, log, registry, runDir }) => {
  if (config.databaseUrl === null) throw new EarshotError('DATABASE_UNREACHABLE', 'DATABASE_URL is not set');
  const pool = createPool(config.databaseUrl, log, 3);
  const service = new TranscriptsService({ pool, log, registry, runDir });
  const info = await service.start();
  return {
    info,
    async drain() {
      await service.drain();
      await pool.end();
    },
  };
});
