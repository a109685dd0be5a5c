import { fork, type ChildProcess, type SendHandle } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { SipMessage, SipResponse } from '../src/parse/message.ts';
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

let folder: string;
let sockets: Record<'udp' | 'tcp' | 'wire', Bound>;
const children: ChildProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-lent-'));
  // Bound and never read here, as host owns them: whoever holds a copy of the handle reads.
  sockets = {
    udp: bound(dgram, '_createSocketHandle', '127.0.0.1', 0, 'udp4'),
    tcp: bound(net, '_createServerHandle', '127.0.0.1', 0, 4),
    wire: bound(net, '_createServerHandle', '127.0.0.1', 0, 4),
  };
});
afterEach(async () => {
  for (const child of children.splice(0)) await killed(child);
  for (const socket of Object.values(sockets)) socket.close();
  await rm(folder, { recursive: true });
});

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function startChild(): Promise<{ child: ChildProcess; dialogs: number }> {
  const child = fork(join(import.meta.dirname, 'support', 'lent-child.ts'), { stdio: 'inherit' });
  children.push(child);
  for (const [name, { handle }] of Object.entries(sockets)) {
    await new Promise<void>((resolve, reject) =>
      child.send({ lend: name }, handle, { keepOpen: true }, (error) =>
        error === null ? resolve() : reject(error),
      ),
    );
  }
  child.send({ run: join(folder, 'dialogs.jsonl') });
  const [message] = (await once(child, 'message')) as [{ dialogs: number }];
  return { child, dialogs: message.dialogs };
}

async function onDisk(text: string): Promise<void> {
  let file = '';
  const read = (): void =>
    void readFile(join(folder, 'dialogs.jsonl'), 'utf8').then((found) => (file = found));
  const poll = setInterval(read, 20);
  await eventually('dialog on disk', () => file.includes(text));
  clearInterval(poll);
}

it('an endpoint killed in mid-call is replaced on the same sockets, and the call goes on', async () => {
  const first = await startChild();
  const app = await WireClient.app(sockets.wire.port, 'invite');
  const uac = await Uac.udp(sockets.udp.port);
  const call = uac.call();
  call.invite();
  await app.respond(await app.notified('INVITE'), '200 OK', '', SDP);
  call.toTag = tagOf((await uac.response(200, 'INVITE')).to);
  call.ack();
  await app.notified('ACK');
  await onDisk(call.callId);

  await killed(first.child);
  await app.untilClosed();
  // Sent while nobody reads: it waits in the kernel.
  call.send('BYE');
  const second = await startChild();
  expect(second.dialogs).toBe(1);
  const restarted = await WireClient.app(sockets.wire.port, 'invite', 'bye');
  const bye = await restarted.notified('BYE');
  expect(bye.tokens[9]).toBe(call.id);
  await restarted.respond(bye, '200 OK');
  await uac.response(200, 'BYE');
  restarted.close();
  uac.close();
}, 30_000);

it('over TCP the peer connects again, and its BYE ends the right one of two calls; ours finds it, too', async () => {
  const first = await startChild();
  const app = await WireClient.app(sockets.wire.port, 'invite');
  const before = await Uac.tcp(sockets.tcp.port);
  const calls = [before.call(), before.call()] as const;
  for (const call of calls) {
    call.invite();
    const invite = await app.until('INVITE', () => app.frames.find(({ text }) => text.includes(call.callId)));
    await app.respond(invite, '200 OK', '', SDP);
    const ok = await before.until(
      '200',
      (m): m is SipResponse => m.callId === call.callId && statusOf(m) === 200,
    );
    call.toTag = tagOf(ok.to);
    call.ack(1);
    await onDisk(call.callId);
  }

  await killed(first.child);
  await eventually('connection broken', () => before.closed);
  expect((await startChild()).dialogs).toBe(2);
  const restarted = await WireClient.app(sockets.wire.port, 'invite', 'bye', 'info');
  const after = await Uac.tcp(sockets.tcp.port);
  const [ended, kept] = calls;
  after.sendRaw(ended.bytes('BYE', 2, ended.branch()));
  const bye = await restarted.notified('BYE');
  expect(bye.tokens[9]).toBe(ended.id);
  await restarted.respond(bye, '200 OK');
  await after.response(200, 'BYE');
  // The other call's requests move it to the new connection; its Contact is the port of the old one.
  after.sendRaw(kept.bytes('INFO', 2, kept.branch()));
  await restarted.respond(await restarted.notified('INFO'), '200 OK');
  await restarted.command(`sip||${kept.id}`, 'BYE sip:placeholder SIP/2.0\r\n\r\n');
  expect((await after.request('BYE')).callId).toBe(kept.callId);
  restarted.close();
  after.close();
}, 30_000);

const statusOf = (message: SipMessage): number => (message.kind === 'response' ? message.status : 0);
