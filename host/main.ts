/** `npm start`: starts everything on this machine, says when it is ready, stops it in order. */
import { isEarshotError } from '@earshot/contracts';
import { createLog, readConfig } from '@earshot/platform';
import { Host } from './src/host.ts';

const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = createLog('host', config.logLevel);
  const host = new Host(config, log, say);
  let signals = 0;
  let lastSignalMs = Number.NEGATIVE_INFINITY;
  const onSignal = (): void => {
    // One Ctrl-C may arrive twice: from the terminal and forwarded by npm.
    if (performance.now() - lastSignalMs < 300) return;
    lastSignalMs = performance.now();
    signals += 1;
    if (signals > 1) {
      host.killAll();
      process.exit(130);
    }
    say('Stopping: live calls are ended and what was said is stored. Press Ctrl-C again to end at once.');
    void host.stop().then(() => process.exit(0));
  };
  // SIGHUP: the terminal was closed.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  process.on('SIGUSR2', () => {
    say('Draining: new calls are refused, live ones go on. POST /v1/drain {"on":false} takes calls again.');
    host.setAdmission(false);
  });
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    const ready = await host.start();
    say(
      `\nEarshot is ready: ${ready.url}/signin?token=${ready.signInToken}  SIP ${ready.sip}  ` +
        `API key in ${ready.apiKeyAt}\n`,
    );
  } catch (error) {
    // Stopped by a signal meanwhile: that ends the process in order.
    if (signals > 0) return;
    await host.stop();
    throw error;
  }
}

main().catch((error: unknown) => {
  if (isEarshotError(error)) {
    process.stderr.write(
      `\nEarshot cannot start: ${error.title} (${error.code}).\n  ${error.message}\n  ${error.action}\n`,
    );
  } else {
    process.stderr.write(`\nEarshot cannot start: ${error instanceof Error ? error.stack : String(error)}\n`);
  }
  process.exit(1);
});
