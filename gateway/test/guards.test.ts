import { writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import type { EngineRow } from '@earshot/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { siprecInvite } from './support/bodies.ts';
import { authorizationFor, type DigestAnswer } from './support/digest-client.ts';
import { Rig, type RigOptions } from './support/rig.ts';
import type { ClientDialog, SipClient, SipMessage } from './support/sip-client.ts';
import { until } from './support/until.ts';

let rig: Rig;
const start = async (options?: RigOptions): Promise<Rig> => (rig = await Rig.start(options));
afterEach(() => rig.stop());

const LIMIT_MS = 30_000;
const engine = (capacity: number): EngineRow => ({ engine: 0, headroom: 1, channels: 0, capacity });

/** INVITEs of as many dialogs, one after another without waiting; their final answers in that order. */
async function burst(
  client: SipClient,
  calls: number,
): Promise<{ dialog: ClientDialog; answer: SipMessage }[]> {
  const dialogs = Array.from({ length: calls }, () => client.dialog());
  for (const dialog of dialogs) dialog.request('INVITE', siprecInvite);
  await until(
    'an answer to each INVITE',
    () => client.received.filter((message) => message.status >= 200).length >= calls,
    LIMIT_MS,
  );
  return Promise.all(dialogs.map(async (dialog) => ({ dialog, answer: await dialog.final('INVITE') })));
}

const acknowledge = (dialog: ClientDialog, answer: SipMessage): void => {
  dialog.toTag = /tag=([^;>\s]+)/.exec(answer.headers.get('to') ?? '')?.[1] ?? null;
  dialog.request('ACK', { body: '', contentType: null }, true);
};

const retryAfter = (answer: SipMessage): number => Number(answer.headers.get('retry-after'));

describe('a burst of more calls than fit', () => {
  it('is taken as far as the engines carry it, though none of them has heard a channel, and the rest is refused', async () => {
    const { gateway } = await start({ env: { SIP_RATE: '0', RECORD_FIRST_CALLS: '0' } });
    // 0.8 × 25 channels of unbroken speech, half of the time each: 40 channels, 20 calls.
    gateway.engines([engine(25)]);
    const answers = await burst(await rig.client(), 100);
    const taken = answers.filter(({ answer }) => answer.status === 200);
    const refused = answers.filter(({ answer }) => answer.status === 503);
    expect([taken.length, refused.length]).toEqual([20, 80]);
    expect(gateway.liveCalls).toBe(20);
    const waits = refused.map(({ answer }) => retryAfter(answer));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...waits)).toBeLessThanOrEqual(120);
    expect(new Set(waits).size).toBeGreaterThan(10);
    expect(await rig.registry.metrics()).toMatch(
      /^earshot_admission_refusals_total\{.*reason="capacity".*\} 80$/m,
    );

    // Those that were taken live on, and each that ends makes room for one.
    for (const { dialog, answer } of taken) acknowledge(dialog, answer);
    const client = await rig.client();
    expect((await client.dialog().invite(siprecInvite)).status).toBe(503);
    expect((await taken[0]!.dialog.bye()).status).toBe(200);
    await until('a call is gone', () => gateway.liveCalls === 19, LIMIT_MS);
    expect((await client.dialog().invite(siprecInvite)).status).toBe(200);
    expect((await client.dialog().invite(siprecInvite)).status).toBe(503);
  });

  it('is taken as far as MAX_CALLS, and ADMISSION=open lets nothing else hold it back', async () => {
    const { gateway } = await start({ env: { MAX_CALLS: '30', ADMISSION: 'open', SIP_RATE: '0' } });
    gateway.engines([engine(5)]);
    const answers = await burst(await rig.client(), 60);
    expect(answers.filter(({ answer }) => answer.status === 200)).toHaveLength(30);
    const metrics = await rig.registry.metrics();
    expect(metrics).toMatch(/^earshot_admission_refusals_total\{.*reason="max_calls".*\} 30$/m);
    expect(metrics).toMatch(/^earshot_capacity_calls\{.*\} 30$/m);
  });

  it('from one address is held to its rate, which other addresses do not feel', async () => {
    await start({ env: { SIP_RATE: '1', SIP_BURST: '5' } });
    const answers = await burst(await rig.client(), 12);
    const taken = answers.filter(({ answer }) => answer.status === 200).length;
    // A slow machine may be given a second's worth more.
    expect(taken).toBeGreaterThanOrEqual(5);
    expect(taken).toBeLessThan(12);
    const refused = answers.find(({ answer }) => answer.status === 503)!;
    expect(retryAfter(refused.answer)).toBeGreaterThanOrEqual(1);
    expect((await (await rig.client('127.0.0.2')).dialog().invite(siprecInvite)).status).toBe(200);
    expect(await rig.registry.metrics()).toMatch(/reason="rate_limit"/);
  });
});

const hasIpv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

describe.skipIf(!hasIpv6)('SIP_ALLOW, by IPv6', () => {
  it('lets a network in and keeps others out', async () => {
    await start({ host: '::1', env: { SIP_ALLOW: '2001:db8::/32,::1/128' } });
    expect((await (await rig.client('::1')).dialog().invite(siprecInvite)).status).toBe(200);
    rig.gateway.stop();
    rig.env['SIP_ALLOW'] = '2001:db8::/32,::2/127,127.0.0.0/8';
    await rig.startGateway();
    expect((await (await rig.client('::1')).ask('OPTIONS')).status).toBe(403);
    expect((await (await rig.client('::1')).dialog().invite(siprecInvite)).status).toBe(403);
  });
});

describe('media workers', () => {
  it('that are all late for seconds get no call; one that is well again does', async () => {
    const { media } = await start({ workers: 2 });
    const client = await rig.client();
    const load = (worker: number, loopDelayMs: number): void =>
      media[worker]!.send({ type: 'load', channels: 0, loopDelayMs });
    for (let second = 0; second < 5; second++) [0, 1].forEach((worker) => load(worker, 900));
    const inviteUntil = async (status: number): Promise<void> => {
      const deadline = performance.now() + LIMIT_MS;
      while ((await client.dialog().invite(siprecInvite)).status !== status)
        expect(performance.now()).toBeLessThan(deadline);
    };
    // The links are read when they are read: a call may come in between.
    await inviteUntil(503);
    const before = media.map((worker) => worker.legs.size);
    load(1, 2);
    await inviteUntil(200);
    expect(media.map((worker) => worker.legs.size)).toEqual([before[0], before[1]! + 1]);
  });
});

describe('a dispatcher’s OPTIONS', () => {
  it('is answered with the load, also by a node that is full', async () => {
    const { gateway } = await start({ env: { MAX_CALLS: '1' } });
    const client = await rig.client();
    expect((await client.ask('OPTIONS')).headers.get('x-earshot-load')).toBe('calls=0;capacity=1');
    gateway.engines([{ ...engine(100), headroom: 0.75 }]);
    await client.dialog().invite(siprecInvite);
    const full = await client.ask('OPTIONS');
    expect(full.status).toBe(200);
    expect(full.headers.get('x-earshot-load')).toBe('calls=1;capacity=1;headroom=0.75');
  });

  it('gets 503 with Retry-After from a node that drains, as new calls do; live ones go on and end by themselves', async () => {
    const { gateway, transcripts } = await start();
    const client = await rig.client();
    const dialog = client.dialog();
    await dialog.invite(siprecInvite);
    gateway.setAdmission(false);
    for (const answer of [await client.ask('OPTIONS'), await client.dialog().invite(siprecInvite)]) {
      expect(answer.status).toBe(503);
      expect(retryAfter(answer)).toBeGreaterThanOrEqual(60);
    }
    expect(await rig.registry.metrics()).toMatch(/^earshot_draining\{.*\} 1$/m);
    expect((await dialog.invite(siprecInvite)).status).toBe(200);
    expect(gateway.liveCalls).toBe(1);
    expect((await dialog.bye()).status).toBe(200);
    const ended = await until('call.ended', () => transcripts.of('call.ended')[0]);
    expect(ended.endReason).toBe('bye');

    gateway.setAdmission(true);
    expect((await client.ask('OPTIONS')).status).toBe(200);
    expect((await client.dialog().invite(siprecInvite)).status).toBe(200);
  });
});

describe('digest authentication', () => {
  const users = { SIP_USERS: 'sbc:first secret,pbx:second:secret' };
  /** An INVITE, and the same with credentials for what it was challenged with. */
  async function authenticated(dialog: ClientDialog, changes: Partial<DigestAnswer>): Promise<SipMessage> {
    const challenged = await dialog.invite(siprecInvite);
    expect(challenged.status).toBe(401);
    // The answer's To tag belongs to the INVITE that was refused.
    dialog.toTag = null;
    const header = `Authorization: ${authorizationFor(challenged.headers.get('www-authenticate') ?? '', {
      name: 'sbc',
      password: 'first secret',
      method: 'INVITE',
      ...changes,
    })}`;
    return dialog.invite({ ...siprecInvite, headers: [...siprecInvite.headers, header] });
  }

  it('challenges an INVITE with both algorithms, on a line each, and takes it by either', async () => {
    const { gateway } = await start({ env: users });
    const client = await rig.client();
    const lines: string[] = [];
    client.onText = (text) => lines.push(...text.split('\r\n'));
    const sha = client.dialog();
    expect((await authenticated(sha, {})).status).toBe(200);
    expect(lines.filter((line) => /^www-authenticate: Digest .*algorithm=/i.test(line))).toHaveLength(2);
    expect((await authenticated(client.dialog(), { algorithm: 'MD5' })).status).toBe(200);
    expect((await authenticated(client.dialog(), { name: 'pbx', password: 'second:secret' })).status).toBe(
      200,
    );
    expect(gateway.liveCalls).toBe(3);
    // A challenge is no refusal; nothing in a dialog is challenged.
    expect(await rig.registry.metrics()).not.toMatch(/^earshot_calls_total\{.*outcome="refused"/m);
    expect((await sha.invite(siprecInvite)).status).toBe(200);
    expect((await sha.bye()).status).toBe(200);
  });

  it('takes users from a file, and does not start with a file that names none', async () => {
    await start({ gateway: false });
    const file = join(rig.folder, 'users');
    rig.env['SIP_USERS_FILE'] = file;
    writeFileSync(file, '# nobody\n\n');
    await expect(rig.startGateway()).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
    writeFileSync(file, '# the branch offices\nsbc:first secret\r\nhidden without a password\n');
    await expect(rig.startGateway()).rejects.toMatchObject({
      message: expect.not.stringMatching(/hidden|secret/) as string,
    });
    writeFileSync(file, '# the branch offices\nsbc:first secret\r\n');
    await rig.startGateway();
    expect((await authenticated((await rig.client()).dialog(), {})).status).toBe(200);
  });

  it('refuses the wrong password, counts it, and answers OPTIONS without one', async () => {
    await start({ env: users });
    const client = await rig.client();
    expect((await authenticated(client.dialog(), { password: 'guessed' })).status).toBe(401);
    expect((await client.ask('OPTIONS')).status).toBe(200);
    expect(await rig.registry.metrics()).toMatch(
      /^earshot_admission_refusals_total\{.*reason="authentication".*\} 1$/m,
    );
  });
});
