import { setPriority } from 'node:os';
import { EarshotError } from '@earshot/contracts';
import { createPool, runChild } from '@earshot/platform';
import { startPostCall } from './src/service.ts';

// After everything that is live: encoding a recording takes a core for seconds.
setPriority(5);

await runChild('post-call', async ({ config, log, registry, runDir }) => {
  const { databaseUrl } = config;
  if (databaseUrl === null) throw new EarshotError('DATABASE_UNREACHABLE', 'DATABASE_URL is not set');
  const pool = createPool(databaseUrl, log, 8);
  const postCall = await startPostCall({ config, databaseUrl, pool, log, registry, runDir });
  return {
    async drain() {
      await postCall.drain();
      await pool.end();
    },
  };
});
