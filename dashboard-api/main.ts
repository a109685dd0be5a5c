import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sockets } from '@earshot/contracts';
import { runChild } from '@earshot/platform';
import { startServer } from './src/server.ts';

await runChild('dashboard-api', async ({ config, log, registry, runDir, instance, host }) => {
  let open = true;
  host.onAdmission((now) => (open = now));
  const server = await startServer({
    config,
    log,
    registry,
    metrics: () => host.metrics(),
    admission: { open: () => open, set: (wanted) => host.setAdmission(wanted) },
    busPath: join(runDir, sockets.live(instance)),
    commandsPath: join(runDir, sockets.commands),
    pageDir: fileURLToPath(new URL('../dashboard/dist', import.meta.url)),
    signinToken: process.env['EARSHOT_SIGNIN_TOKEN'] ?? null,
  });
  return { info: { url: server.url }, drain: () => server.close() };
});
