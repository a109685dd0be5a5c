import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tagOf } from '../src/parse/uri.ts';
import { SDP, Uac } from './support/uac.ts';
import { eventually } from './support/wait.ts';
import { WireClient } from './support/wire-client.ts';

interface Bound {
  readonly handle: SendHandle;
  readonly port: number;
  close(): void;
}

/** A raw handle, bound and neither listening nor reading. Node has the functions, but not in its types. */
function bound(module: object, maker: string, ...args: (string | number)[]): Bound {
  interface Raw {
    getsockname(name: { port?: number }): void;
    close(): void;
  }
  const make = (module as Record<string, (...args: (string | number)[]) => Raw | number>)[maker];
  const handle = make?.(...args);
  if (typeof handle !== 'object') throw new Error(`no handle from ${maker}`);
  const name: { port?: number } = {};
  handle.getsockname(name);
  return { handle: handle as unknown as SendHandle, port: name.port ?? 0, close: () => handle.close() };
}

it('an endpoint killed in mid-call is replaced on the same sockets, and the call goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'earshot-lent-'));
  const dialogFile = join(folder, 'dialogs.jsonl');
  // Bound and never read here, as host owns them: whoever holds a copy of the handle reads.
  const udp = bound(dgram, '_createSocketHandle', '127.0.0.1', 0, 'udp4');
  const tcp = bound(net, '_createServerHandle', '127.0.0.1', 0, 4);
  const wire = bound(net, '_createServerHandle', '127.0.0.1', 0, 4);

  const startChild = async (): Promise<{ child: ChildProcess; dialogs: number }> => {
    const child = fork(join(import.meta.dirname, 'support', 'lent-child.ts'), { stdio: 'inherit' });
    const lend = (name: string, handle: SendHandle) =>
      new Promise<void>((resolve, reject) =>
        child.send({ lend: name }, handle, { keepOpen: true }, (error) =>
          error === null ? resolve() : reject(error),
        ),
      );
    await lend('udp', udp.handle);
    await lend('tcp', tcp.handle);
    await lend('wire', wire.handle);
    child.send({ run: dialogFile });
    const [message] = (await once(child, 'message')) as [{ dialogs: number }];
    return { child, dialogs: message.dialogs };
  };

  const first = await startChild();
  const app = await WireClient.app(wire.port, 'invite');
  const uac = await Uac.udp(udp.port);
  const call = uac.call();
  call.invite();
  await app.respond(await app.notified('INVITE'), '200 OK', '', SDP);
  call.toTag = tagOf((await uac.response(200, 'INVITE')).to);
  call.ack();
  await app.notified('ACK');
  let file = '';
  const poll = setInterval(() => void readFile(dialogFile, 'utf8').then((text) => (file = text)), 20);
  await eventually('dialog on disk', () => file.includes(call.callId));
  clearInterval(poll);

  first.child.kill('SIGKILL');
  await once(first.child, 'exit');
  await app.untilClosed();
  // Sent while nobody reads: it waits in the kernel.
  call.send('BYE');
  const second = await startChild();
  expect(second.dialogs).toBe(1);
  const restarted = await WireClient.app(wire.port, 'invite', 'bye');
  const bye = await restarted.notified('BYE');
  expect(bye.tokens[9]).toBe(call.id);
  await restarted.respond(bye, '200 OK');
  await uac.response(200, 'BYE');

  second.child.kill('SIGKILL');
  await once(second.child, 'exit');
  restarted.close();
  uac.close();
  udp.close();
  tcp.close();
  wire.close();
  await rm(folder, { recursive: true });
}, 30_000);
