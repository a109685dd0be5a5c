import { afterEach, describe, expect, it } from 'vitest';
import { MULTIPART, rfcMetadata, sdpOf, siprecBody } from './support/bodies.ts';
import { Rig, type RigOptions } from './support/rig.ts';
import type { ClientDialog, InviteOptions, SipClient, SipMessage } from './support/sip-client.ts';
import { until } from './support/until.ts';

let rig: Rig;
let client: SipClient;
let nowMs = 1_000_000;
const start = async (options: RigOptions = {}): Promise<void> => {
  nowMs = 1_000_000;
  rig = await Rig.start({ ...options, nowMs: () => nowMs });
  client = await rig.client();
};
afterEach(() => rig.stop());

const started = () => rig.transcripts.of('call.started');
const updated = () => rig.transcripts.of('call.updated');
const endOf = () => until('call.ended', () => rig.transcripts.of('call.ended')[0], 20_000);
const restart = async (): Promise<void> => {
  rig.gateway.stop();
  await rig.startGateway();
};

describe('the two dialogs of Cisco CUCM’s built-in bridge', () => {
  const delayed: InviteOptions = { body: '', contentType: null };
  /** @param side `nearend`: the phone that is recorded */
  const side = (which: 'nearend' | 'farend', reference = 27_298): ClientDialog => {
    const dialog = client.dialog();
    const user = which === 'nearend' ? '1001' : '+4920155501';
    dialog.from = `<sip:${user}@cucm.example.test;x-${which};x-refci=${reference};x-nearendrefci=${reference}>`;
    return dialog;
  };
  const both = async (): Promise<[near: ClientDialog, far: ClientDialog]> => {
    const [near, far] = [side('nearend'), side('farend')];
    expect((await near.invite(delayed, sdpOf([{ label: null }]))).status).toBe(200);
    expect((await far.invite(delayed, sdpOf([{ label: null, port: 31_000 }]))).status).toBe(200);
    await until('both channels', () => updated().some(({ call }) => call.channels.length === 2));
    return [near, far];
  };

  it('are one call with a channel each, which ends with the last of them', async () => {
    await start();
    const [near, far] = await both();
    const [first, second] = rig.media[0]!.of('leg.open').map(({ leg }) => leg);
    const { callId } = started()[0]!.call;
    expect(second!.legId).toBe(`${callId}/1`);
    expect(second!.zero).toEqual(first!.zero);
    expect(second!.channels.map(({ channel }) => channel)).toEqual([`${callId}:1`]);
    expect(rig.gateway.liveCalls).toBe(1);
    expect(
      updated()
        .at(-1)!
        .call.channels.map(({ role }) => role),
    ).toEqual(['agent', 'customer']);
    expect((await far.bye()).status).toBe(200);
    await until('its leg closed', () => rig.media[0]!.legs.size === 1);
    expect(rig.gateway.liveCalls).toBe(1);
    expect((await near.bye()).status).toBe(200);
    const ended = await endOf();
    expect(ended).toMatchObject({ callId, endReason: 'bye' });
    expect(ended.channels.map(({ channel }) => channel).sort()).toEqual([`${callId}:0`, `${callId}:1`]);
    expect(started()).toHaveLength(1);
    expect(rig.gateway.liveCalls).toBe(0);
  });

  it('are one call also when both INVITEs come at once', async () => {
    await start();
    const dialogs = [side('nearend'), side('farend')];
    const invite = (dialog: ClientDialog): Promise<SipMessage> =>
      dialog.invite(delayed, sdpOf([{ label: null }]));
    const answers = await Promise.all(dialogs.map(invite));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    await until('both channels', () => updated().some(({ call }) => call.channels.length === 2));
    expect(started()).toHaveLength(1);
    expect(new Set(answers.map(({ body }) => /^m=audio (\d+)/m.exec(body)![1])).size).toBe(2);
  });

  it('keep what is known of each other when one is negotiated anew', async () => {
    await start();
    const [near, far] = await both();
    const known = updated().at(-1)!.call.channels;
    const held = await far.invite({ body: sdpOf([{ label: null, direction: 'inactive' }], 2) });
    expect(held.body.match(/^m=audio/gm)).toHaveLength(1);
    // A stream that one of them adds is the call's third channel.
    const added = await near.invite({ body: sdpOf([{ label: null }, { label: null }], 2) });
    expect(added.body.match(/^m=audio [1-9]/gm)).toHaveLength(2);
    const now = await until('three channels', () => updated().find(({ call }) => call.channels.length === 3));
    expect(now.call.channels.slice(0, 2).map(({ participant }) => participant)).toEqual(
      known.map(({ participant }) => participant),
    );
    expect(now.call.channels.map(({ index }) => index)).toEqual([0, 1, 2]);
  });

  it('are paused together, or not at all', async () => {
    await start();
    await both();
    const { callId } = started()[0]!.call;
    const media = rig.media[0]!;
    const isPaused = (): boolean[] => [...media.legs.values()].map((leg) => leg.paused ?? false);
    media.onUpdate = (leg) => (leg.legId.endsWith('/1') && leg.paused === true ? 'fail' : 'update');
    rig.transcripts.send({ type: 'call.pause', callId, paused: true });
    await until('tried and taken back', () => {
      const ofFirst = media.of('leg.update').filter(({ leg }) => leg.legId.endsWith('/0'));
      return ofFirst.some(({ leg }) => leg.paused === true) && ofFirst.at(-1)!.leg.paused !== true;
    });
    await until('as it was', () => isPaused().every((each) => !each));
    await until('told', () => rig.transcripts.of('call.pause.failed').length === 1);
    expect(rig.transcripts.of('call.pause.failed')[0]).toMatchObject({ callId, paused: true });
    media.onUpdate = () => 'update';
    rig.transcripts.send({ type: 'call.pause', callId, paused: true });
    await until('paused', () => updated().some(({ call }) => call.paused === true));
    expect(isPaused()).toEqual([true, true]);
  });

  it('are one call for a gateway that comes after, too', async () => {
    await start();
    const [near, far] = await both();
    await restart();
    expect(rig.gateway.liveCalls).toBe(1);
    expect(rig.media[0]!.of('leg.sync').at(-1)!.legs).toHaveLength(2);
    expect((await near.bye()).status).toBe(200);
    await restart();
    expect(rig.gateway.liveCalls).toBe(1);
    expect((await far.bye()).status).toBe(200);
    await endOf();
    expect(rig.transcripts.of('call.ended')).toHaveLength(1);
    expect(started()).toHaveLength(1);
  });

  it('need one place of MAX_CALLS; those of another call are another call', async () => {
    await start({ env: { MAX_CALLS: '1' } });
    await both();
    const other = await side('nearend', 99).inviteOnly(delayed);
    expect(other.status).toBe(503);
  });

  it('leave the first as it is when the second finds no port', async () => {
    await start();
    const near = side('nearend');
    await near.invite(delayed, sdpOf([{ label: null }]));
    rig.media[0]!.onOpen = 'fail';
    expect((await side('farend').inviteOnly(delayed)).status).toBe(503);
    expect(rig.gateway.liveCalls).toBe(1);
    expect((await near.bye()).status).toBe(200);
    expect((await endOf()).channels).toHaveLength(1);
  });

  it('are refused both when the first finds no port', async () => {
    await start();
    rig.media[0]!.onOpen = 'fail';
    const dialogs = [side('nearend'), side('farend')];
    const answers = await Promise.all(dialogs.map((dialog) => dialog.inviteOnly(delayed)));
    expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    expect(rig.gateway.liveCalls).toBe(0);
    expect(started()).toEqual([]);
  });

  it('are two calls when the first is over before the second comes', async () => {
    await start();
    const near = side('nearend');
    await near.invite(delayed, sdpOf([{ label: null }]));
    await near.bye();
    await endOf();
    await side('farend').invite(delayed, sdpOf([{ label: null }]));
    await until('a second call', () => started().length === 2);
  });
});

describe('the dialogs of NetSapiens, a new one at each change of party', () => {
  const invite = (group = 'a group'): InviteOptions => ({
    body: siprecBody(sdpOf([{}, {}]), rfcMetadata.replaceAll('7+OTCyoxTmqmqyA/1weDAg==', group)),
    contentType: MULTIPART,
    headers: ['Require: siprec', 'User-Agent: NetSapiens SiPbx 1-1205c'],
  });
  const first = async (): Promise<ClientDialog> => {
    const dialog = client.dialog();
    expect((await dialog.invite(invite())).status).toBe(200);
    await until('call.started', () => started()[0]);
    return dialog;
  };

  it('are one call that lives on between them, and ends 10 s after the last', async () => {
    await start();
    await (await first()).bye();
    await until('its leg closed', () => rig.media[0]!.legs.size === 0);
    expect(rig.gateway.liveCalls).toBe(1);
    nowMs += 9_000;
    const next = client.dialog();
    expect((await next.invite(invite())).status).toBe(200);
    const now = await until('four channels', () => updated().find(({ call }) => call.channels.length === 4));
    expect(now.call.callId).toBe(started()[0]!.call.callId);
    const [before, after] = rig.media[0]!.of('leg.open').map(({ leg }) => leg);
    expect(after!.zero).toEqual(before!.zero);
    expect(after!.channels.map(({ channel }) => channel)).toEqual(
      [2, 3].map((n) => `${before!.callId}:${n}`),
    );
    await next.bye();
    await until('its leg closed', () => rig.media[0]!.legs.size === 0);
    nowMs += 10_500;
    const ended = await endOf();
    expect(ended.endReason).toBe('bye');
    expect(ended.channels).toHaveLength(4);
    expect(rig.gateway.liveCalls).toBe(0);
    expect(started()).toHaveLength(1);
  });

  it('are one call also where the next one comes while the leg before is still being closed', async () => {
    await start();
    const before = await first();
    rig.media[0]!.answersClose = false;
    await before.bye();
    const next = client.dialog();
    expect((await next.invite(invite())).status).toBe(200);
    await until('four channels', () => updated().find(({ call }) => call.channels.length === 4));
    expect(rig.media[0]!.legs.size).toBe(2);
    expect(rig.gateway.liveCalls).toBe(1);
    expect(started()).toHaveLength(1);
    rig.media[0]!.answersClose = true;
    await next.bye();
    await until('its leg closed', () => rig.media[0]!.legs.size === 1);
  });

  it('wait over a new start of the gateway, which takes the next one up', async () => {
    await start();
    await (await first()).bye();
    await until('its leg closed', () => rig.media[0]!.legs.size === 0);
    await restart();
    expect(rig.gateway.liveCalls).toBe(1);
    const next = client.dialog();
    expect((await next.invite(invite())).status).toBe(200);
    await until('four channels', () => updated().find(({ call }) => call.channels.length === 4));
    await restart();
    expect(rig.gateway.liveCalls).toBe(1);
    expect(rig.media[0]!.of('leg.sync').at(-1)!.legs).toHaveLength(1);
    await next.bye();
    await until('its leg closed', () => rig.media[0]!.legs.size === 0);
    await restart();
    nowMs += 10_500;
    expect((await endOf()).endReason).toBe('bye');
    expect(rig.transcripts.of('call.ended')).toHaveLength(1);
  });

  it('that overlap are one call as well', async () => {
    await start();
    const old = await first();
    const next = client.dialog();
    await next.invite(invite());
    await old.bye();
    await until('its leg closed', () => rig.media[0]!.legs.size === 1);
    nowMs += 60_000;
    expect((await next.bye()).status).toBe(200);
    await until('its leg closed', () => rig.media[0]!.legs.size === 0);
    nowMs += 10_500;
    expect((await endOf()).channels).toHaveLength(4);
    expect(started()).toHaveLength(1);
  });

  it('of another group are another call', async () => {
    await start();
    await (await first()).bye();
    await client.dialog().invite(invite('another'));
    await until('a second call', () => started().length === 2);
  });

  it('stay paused from one to the next', async () => {
    await start();
    const old = await first();
    const { callId } = started()[0]!.call;
    await old.bye();
    await until('its leg closed', () => rig.media[0]!.legs.size === 0);
    rig.transcripts.send({ type: 'call.pause', callId, paused: true });
    await until('paused', () => updated().some(({ call }) => call.paused === true));
    await client.dialog().invite(invite());
    expect(rig.media[0]!.of('leg.open').at(-1)!.leg.paused).toBe(true);
  });

  it('that wait are ended at once when the gateway goes down', async () => {
    await start();
    await (await first()).bye();
    await until('its leg closed', () => rig.media[0]!.legs.size === 0);
    await rig.gateway.drain();
    expect((await endOf()).endReason).toBe('bye');
  });
});
