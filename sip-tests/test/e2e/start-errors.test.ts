/** What a person reads when Earshot cannot start. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { EarshotProcess } from '../../src/earshot-process.ts';

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** Starts Earshot, which must not come up. @returns what it printed, which must not be a stack trace */
async function refusal(env: Record<string, string>): Promise<string> {
  const error = await EarshotProcess.start({ env }).then(
    (earshot) => earshot.stop().then(() => null),
    (reason: unknown) => reason as Error,
  );
  if (error === null) throw new Error('it started');
  expect(error.message).toMatch(/^ended with 1:/);
  const said = error.message.slice(error.message.indexOf('Earshot cannot start'));
  expect(said).not.toMatch(/\n\s+at /);
  return said;
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'es-'));
  undo.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('every wrong setting is named, with what it should be', async () => {
  const said = await refusal({
    HTTP_PORT: 'eighty',
    RTP_PORT_MIN: '40000',
    RTP_PORT_MAX: '30000',
    BIND: '0.0.0.0',
  });
  expect(said).toContain('CONFIG_INVALID');
  for (const fault of ['HTTP_PORT: "eighty"', 'RTP_PORT_MIN (40000) is not below', 'SIP_ALLOW is not set']) {
    expect(said).toContain(fault);
  }
});

test('a SIP port that another program has is named, over UDP and over TCP', async () => {
  const udp = dgram.createSocket('udp4');
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  undo.push(() => udp.close());
  const udpSaid = await refusal({ SIP_PORT: String(udp.address().port) });
  expect(udpSaid).toContain('PORT_IN_USE');
  expect(udpSaid).toContain(`127.0.0.1:${udp.address().port}`);

  const tcp = net.createServer().listen(0, '127.0.0.1');
  await once(tcp, 'listening');
  undo.push(() => tcp.close());
  const { port } = tcp.address() as net.AddressInfo;
  expect(await refusal({ SIP_PORT: String(port) })).toContain(`SIP cannot listen on 127.0.0.1:${port}`);
});

test('an HTTP port that another program has is named', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const said = await refusal({ HTTP_PORT: String(port) });
  expect(said).toContain('PORT_IN_USE');
  expect(said).toContain(String(port));
}, 60_000);

test('a database that cannot be reached is named, with what to check', async () => {
  const said = await refusal({ DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' });
  expect(said).toContain('DATABASE_UNREACHABLE');
  expect(said).toContain('DATABASE_URL');
});

test('a missing model is named by its folder, a broken one by its file', async () => {
  const empty = await folder();
  const missing = await refusal({ ASR_MODEL: join(empty, 'nowhere') });
  expect(missing).toContain('MODEL_MISSING');
  expect(missing).toContain('nowhere');
  await writeFile(join(empty, 'model.json'), '{ not json');
  const broken = await refusal({ ASR_MODEL: empty });
  expect(broken).toMatch(/MODEL_(INVALID|MISSING)/);
  expect(broken).toContain('model.json');
}, 90_000);

test('a data folder that another Earshot is using is named', async () => {
  const running = await EarshotProcess.start();
  undo.push(() => running.stop());
  const error = await EarshotProcess.start({ dataDir: running.dataDir }).catch(
    (reason: unknown) => reason as Error,
  );
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message).toContain('another Earshot');
  // It is alive and well after the second one's attempt.
  expect(await running.get<{ items: unknown[] }>('/v1/calls')).toMatchObject({ items: [] });
}, 90_000);
