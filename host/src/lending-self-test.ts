import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import dgram from 'node:dgram';
import { EarshotError } from '@earshot/contracts';
import { bindUdp, portOf } from '@earshot/platform';

const LIMIT_MS = 15_000;

/**
 * Lends a UDP socket to a child and sends it a packet: shows that this platform can do what the reliability of calls
 * rests on. @throws EarshotError INTERNAL when it cannot
 */
export async function lendingSelfTest(): Promise<void> {
  const handle = bindUdp('127.0.0.1', 0);
  const child = fork(fileURLToPath(new URL('./lending-self-test-child.ts', import.meta.url)), [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const sender = dgram.createSocket('udp4');
  try {
    // Sent before the child can read: the kernel has to keep it.
    sender.send('ping', portOf(handle), '127.0.0.1');
    child.send({}, handle as never);
    const answered = once(child, 'message', { signal: AbortSignal.timeout(LIMIT_MS) });
    const [answer] = (await answered) as [string];
    if (answer !== 'ping') throw new Error(`the child read ${JSON.stringify(answer)}`);
  } catch (error) {
    throw new EarshotError(
      'INTERNAL',
      `this platform cannot lend sockets to a child process: ${(error as Error).message}`,
      {
        cause: error,
      },
    );
  } finally {
    sender.close();
    child.kill('SIGKILL');
    handle.close();
  }
}
