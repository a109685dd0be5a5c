import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { join } from 'node:path';
import type { LegId } from '@earshot/contracts';
import { Journal } from '../src/journal/journal.ts';
import { recordOf } from './support/record.ts';
import { sdpOf, siprecBody, siprecInvite } from './support/bodies.ts';
import type { FakeMedia } from './support/fake-media.ts';
import { Rig } from './support/rig.ts';
import type { SipClient } from './support/sip-client.ts';
import { until } from './support/until.ts';

let rig: Rig;
const processes: ChildProcess[] = [];

afterEach(async () => {
  for (const child of processes.splice(0)) await kill(child);
  await rig.stop();
});

/** The gateway as host runs it: a process of its own. Resolves when calls are taken. */
async function startProcess(client: SipClient): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('../main.ts', import.meta.url))], {
    env: { PATH: process.env['PATH'], LOG_LEVEL: 'error', ...rig.env },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  processes.push(child);
  const deadline = performance.now() + 15_000;
  while ((await client.ask('OPTIONS')).status !== 200) {
    if (performance.now() > deadline) throw new Error('the gateway did not start');
  }
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

describe('a gateway that is killed and started again', () => {
  it('gives the media worker its legs back, and the old dialog’s re-INVITE and BYE reach the call', async () => {
    rig = await Rig.start({ gateway: false });
    const client = await rig.client();
    const dialog = client.dialog();
    const first = await startProcess(client);
    const answer = await dialog.invite(siprecInvite);
    expect(answer.status).toBe(200);
    const leg = rig.media[0]!.of('leg.open')[0]!.leg;
    await until('call.started', () => rig.transcripts.of('call.started')[0]);
    await kill(first);

    await startProcess(client);
    const sync = rig.media[0]!.of('leg.sync').at(-1)!;
    const ports = Array.from(answer.body.matchAll(/^m=audio (\d+)/gm), ([, port]) => Number(port));
    expect(sync.legs).toMatchObject([{ ...leg, ports: ports.map((rtpPort) => ({ rtpPort })) }]);
    const moved = await dialog.invite({
      ...siprecInvite,
      body: siprecBody(sdpOf([{ port: 31_000 }, {}], 2)),
    });
    expect(moved.status).toBe(200);
    expect(moved.body.replace(/^o=.*$/m, '')).toBe(answer.body.replace(/^o=.*$/m, ''));
    expect((await dialog.bye()).status).toBe(200);
    const ended = await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
    expect(ended).toMatchObject({ callId: leg.callId, endReason: 'bye' });
    // Told once more where the first one died before it had the acknowledgement on record.
    const started = rig.transcripts.of('call.started').map(({ call }) => call.callId);
    expect(new Set(started)).toEqual(new Set([leg.callId]));
  });

  it('answers the INVITE that its predecessor was working on', async () => {
    rig = await Rig.start({ gateway: false });
    const client = await rig.client();
    const first = await startProcess(client);
    rig.media[0]!.onOpen = 'ignore';
    const dialog = client.dialog();
    dialog.request('INVITE', siprecInvite);
    await until('leg.open', () => rig.media[0]!.of('leg.open')[0]);
    await kill(first);
    rig.media[0]!.onOpen = 'open';
    await startProcess(client);
    expect((await dialog.final('INVITE')).status).toBe(200);
    const [abandoned, taken] = rig.media[0]!.of('leg.open').map(({ leg }) => leg.legId);
    expect([...rig.media[0]!.legs.keys()]).toEqual([taken]);
    expect(taken).not.toBe(abandoned);
  });

  it('answers the INVITE with the answer on record when its predecessor died before the 200', async () => {
    rig = await Rig.start({ gateway: false });
    const client = await rig.client();
    const first = await startProcess(client);
    rig.media[0]!.onOpen = 'ignore';
    const dialog = client.dialog();
    dialog.request('INVITE', siprecInvite);
    const { leg } = await until('leg.open', () => rig.media[0]!.of('leg.open')[0]);
    await kill(first);
    // What it would have written last.
    const journal = new Journal(join(rig.env['DATA_DIR']!, 'gateway'), rig.log);
    journal.append({ type: 'opened', call: recordOf(leg, `${dialog.callId};from-tag=${dialog.fromTag}`) });
    journal.close();
    await startProcess(client);
    const answer = await dialog.final('INVITE');
    expect(answer.status).toBe(200);
    expect(answer.body).toBe('v=0\r\na=from the journal\r\n');
    expect([...rig.media[0]!.legs.values()]).toEqual([leg]);
    expect(rig.media[0]!.of('leg.open')).toHaveLength(1);
  });

  it('ends a call whose media worker is no more, with a BYE and a report', async () => {
    rig = await Rig.start({ workers: 2 });
    rig.media[0]!.onOpen = 'fail';
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    await until('call.started', () => rig.transcripts.of('call.started')[0]);
    rig.gateway.stop();
    rig.env['MEDIA_WORKERS'] = '1';
    await rig.startGateway();
    await dialog.incoming('BYE');
    const ended = await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
    expect(ended).toMatchObject({ endReason: 'error', channels: [] });
    expect(rig.gateway.liveCalls).toBe(0);
  });

  it('reports the end of a call that its predecessor was closing, and does not take it for live', async () => {
    rig = await Rig.start();
    rig.media[0]!.answersClose = false;
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    await dialog.bye();
    await until('leg.close', () => rig.media[0]!.of('leg.close')[0]);
    rig.gateway.stop();
    await rig.startGateway();
    const ended = await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
    expect(ended).toMatchObject({ endReason: 'bye', channels: [] });
    expect(rig.gateway.liveCalls).toBe(0);
    expect(rig.media[0]!.of('leg.sync').at(-1)!.legs).toEqual([]);
  });

  it('reports an end that transcripts never acknowledged once more, and only that one', async () => {
    rig = await Rig.start();
    const client = await rig.client();
    const settled = client.dialog();
    await settled.invite(siprecInvite);
    await settled.bye();
    await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
    await until('the call is gone', () => rig.gateway.liveCalls === 0);
    rig.transcripts.acknowledges = false;
    const dialog = client.dialog();
    await dialog.invite(siprecInvite);
    await dialog.bye();
    const ended = await until('its call.ended', () => rig.transcripts.of('call.ended')[1]);
    rig.gateway.stop();
    rig.transcripts.acknowledges = true;
    rig.transcripts.messages.length = 0;
    await rig.startGateway();
    const again = await until('call.ended again', () => rig.transcripts.of('call.ended')[0]);
    expect({ ...again, id: ended.id }).toEqual(ended);
    expect(rig.transcripts.of('call.started').map((message) => message.call.callId)).toEqual([ended.callId]);
  });
});

describe('a media worker', () => {
  it('that dies and comes back is told its legs, and the call goes on', async () => {
    rig = await Rig.start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    const leg = rig.media[0]!.of('leg.open')[0]!.leg;
    await rig.media[0]!.die();
    // A change while it is away is in the sync that it gets.
    const held = sdpOf([{ direction: 'inactive' }, {}], 2);
    expect((await dialog.invite({ ...siprecInvite, body: siprecBody(held) })).status).toBe(200);
    await rig.media[0]!.listen();
    const sync = await until('leg.sync', () => rig.media[0]!.of('leg.sync')[1]);
    expect(sync.legs.map(({ legId }) => legId)).toEqual([leg.legId]);
    expect(sync.legs[0]!.channels.map(({ state }) => state)).toEqual(['held', 'active']);
    expect((await dialog.bye()).status).toBe(200);
    await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
  });

  it('that is away at the BYE does not hold up the end of the call: its totals are left out', async () => {
    rig = await Rig.start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    await rig.media[0]!.die();
    expect((await dialog.bye()).status).toBe(200);
    const ended = await until('call.ended', () => rig.transcripts.of('call.ended')[0], 2_500);
    expect(ended.channels).toEqual([]);
  });

  it.each(['fail', 'hangup'] as const)(
    'that does “%s” at leg.open leaves the call to the next one',
    async (fault) => {
      rig = await Rig.start({ workers: 2 });
      rig.media[0]!.onOpen = fault;
      const dialog = (await rig.client()).dialog();
      expect((await dialog.invite(siprecInvite)).status).toBe(200);
      const started = await until('call.started', () => rig.transcripts.of('call.started')[0]);
      expect(started.call.worker).toBe(1);
      expect(rig.media[0]!.legs.size).toBe(0);
    },
  );

  it('that hangs costs at most 2 s, and is told to close what it may have opened', async () => {
    rig = await Rig.start();
    rig.media[0]!.onOpen = 'ignore';
    const before = performance.now();
    const answer = await (await rig.client()).dialog().invite(siprecInvite);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(performance.now() - before).toBeLessThan(6_000);
    await until('leg.close', () => rig.media[0]!.of('leg.close')[0]);
    // It wakes up and opens the leg after all, which nobody wants any more.
    const { id, leg } = rig.media[0]!.of('leg.open')[0]!;
    rig.media[0]!.send({ type: 'leg.opened', id, legId: leg.legId, ports: [] });
    const again = await until('another leg.close', () => rig.media[0]!.of('leg.close')[1]);
    expect(again.legId).toBe(leg.legId);
  });

  it('that did not answer in time says what it will of the leg: the call is with another worker and lives', async () => {
    rig = await Rig.start({ workers: 2 });
    const [slow, taken] = rig.media as [FakeMedia, FakeMedia];
    slow.onOpen = 'ignore';
    slow.answersClose = false;
    const dialog = (await rig.client()).dialog();
    expect((await dialog.invite(siprecInvite)).status).toBe(200);
    const { id, leg } = slow.of('leg.open')[0]!;
    const { legId } = leg;
    expect([...taken.legs.keys()]).toEqual([legId]);
    const close = await until('leg.close', () => slow.of('leg.close')[0]);
    expect(close.legId).toBe(legId);
    const sync = slow.of('leg.sync')[0]!;
    for (const late of [id, sync.id]) {
      slow.send({ type: 'leg.failed', id: late, legId, code: 'INTERNAL', message: 'late' });
    }
    slow.send({ type: 'leg.timeout', legId });
    // Comes after the others on the same link; what it is answered with shows that they were read.
    slow.send({ type: 'leg.opened', id, legId, ports: [] });
    await until('another leg.close', () => slow.of('leg.close')[1]);
    expect(rig.gateway.liveCalls).toBe(1);
    expect(taken.of('leg.close')).toEqual([]);
    expect((await dialog.bye()).status).toBe(200);
    const ended = await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
    expect(ended.endReason).toBe('bye');
  });

  it('that refuses a close or an update ends no call, one that cannot adopt a leg of its sync does', async () => {
    rig = await Rig.start();
    const media = rig.media[0]!;
    const client = await rig.client();
    const [first, second] = [client.dialog(), client.dialog()];
    for (const dialog of [first, second]) await dialog.invite(siprecInvite);
    const [one, two] = media.of('leg.open').map(({ leg }) => leg.legId) as [LegId, LegId];
    const sync = media.of('leg.sync')[0]!;
    const failed = { type: 'leg.failed', code: 'INTERNAL', message: 'no' } as const;
    media.send({ ...failed, id: 4711, legId: one });
    media.send({ ...failed, id: sync.id, legId: two });
    await second.incoming('BYE');
    expect(rig.gateway.liveCalls).toBe(1);
    expect((await first.bye()).status).toBe(200);
  });

  it('shares calls evenly with the others between two load reports', async () => {
    rig = await Rig.start({ workers: 2 });
    const client = await rig.client();
    for (let call = 0; call < 4; call++) await client.dialog().invite(siprecInvite);
    expect(rig.media.map((media) => media.of('leg.open').length)).toEqual([2, 2]);
  });

  it('that says it is loaded gets no call while another has fewer channels', async () => {
    rig = await Rig.start({ workers: 2 });
    const client = await rig.client();
    const first = client.dialog();
    await first.invite(siprecInvite);
    const leg = rig.media[0]!.of('leg.open')[0]!.leg;
    rig.media[0]!.send({ type: 'load', channels: 10, loopDelayMs: 1 });
    // Comes after the load on the same link: once the BYE is here, the load was read.
    rig.media[0]!.send({ type: 'leg.timeout', legId: leg.legId });
    await first.incoming('BYE');
    for (let call = 0; call < 3; call++) await client.dialog().invite(siprecInvite);
    expect(rig.media.map((media) => media.of('leg.open').length)).toEqual([1, 3]);
  });
});

describe('transcripts', () => {
  it('being away delays no call; it is told in order when it is back', async () => {
    rig = await Rig.start();
    await rig.transcripts.stop();
    const dialog = (await rig.client()).dialog();
    expect((await dialog.invite(siprecInvite)).status).toBe(200);
    expect((await dialog.bye()).status).toBe(200);
    await until('the call is gone', () => rig.gateway.liveCalls === 0);
    await rig.transcripts.listen();
    await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
    const told = rig.transcripts.messages.filter(({ type }) => type !== 'call.trace');
    expect(told.map(({ type }) => type)).toEqual(['call.started', 'call.ended']);
  });
});

describe('the SIP server', () => {
  it('being replaced takes no call down: the gateway dials again and the BYE of the old dialog is answered', async () => {
    rig = await Rig.start();
    const client = await rig.client();
    const dialog = client.dialog();
    await dialog.invite(siprecInvite);
    await rig.endpoint.close();
    await rig.startEndpoint();
    const deadline = performance.now() + 10_000;
    while ((await client.ask('OPTIONS')).status !== 200) expect(performance.now()).toBeLessThan(deadline);
    expect(rig.gateway.liveCalls).toBe(1);
    expect((await dialog.bye()).status).toBe(200);
    const ended = await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
    expect(ended.endReason).toBe('bye');
  });

  it('that cannot be reached is named, with what the user can do', async () => {
    rig = await Rig.start({ gateway: false });
    rig.env['DRACHTIO_PORT'] = '1';
    await expect(rig.startGateway(500)).rejects.toMatchObject({
      code: 'DRACHTIO_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
  });

  it('that refuses the secret is named so', async () => {
    rig = await Rig.start({ gateway: false });
    rig.env['DRACHTIO_SECRET'] = 'another secret';
    await expect(rig.startGateway(500)).rejects.toMatchObject({
      code: 'DRACHTIO_UNREACHABLE',
      message: expect.stringContaining('secret was refused') as string,
    });
  });
});
