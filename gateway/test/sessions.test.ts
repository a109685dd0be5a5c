import { afterEach, describe, expect, it } from 'vitest';
import { MULTIPART, sdpOf, siprecBody, siprecInvite } from './support/bodies.ts';
import { Rig, type RigOptions } from './support/rig.ts';
import { until } from './support/until.ts';

let rig: Rig;
const start = async (options?: RigOptions): Promise<Rig> => (rig = await Rig.start(options));
afterEach(() => rig.stop());

describe('a re-INVITE', () => {
  it('with a new port updates the leg; the answer, which says the same, keeps its version', async () => {
    const { media } = await start();
    const dialog = (await rig.client()).dialog();
    const first = await dialog.invite(siprecInvite);
    const second = await dialog.invite({
      ...siprecInvite,
      body: siprecBody(sdpOf([{ port: 31_000 }, {}], 2)),
    });
    expect(second.status).toBe(200);
    const update = media[0]!.of('leg.update')[0]!;
    expect(update.leg.channels.map((channel) => channel.remote?.port)).toEqual([31_000, 30_002]);
    expect(second.body).toBe(first.body);
    expect(media[0]!.of('leg.open')).toHaveLength(1);
  });

  it('that repeats the offer is a refresh: the same answer, and the leg is left alone', async () => {
    const { media } = await start();
    const dialog = (await rig.client()).dialog();
    const offer = { body: sdpOf([{}, {}]), headers: ['Supported: timer', 'Session-Expires: 1800'] };
    const first = await dialog.invite(offer);
    const second = await dialog.invite(offer);
    expect(second.body).toBe(first.body);
    expect(second.headers.get('session-expires')).toBe('1800;refresher=uac');
    expect(media[0]!.of('leg.update')).toEqual([]);
  });

  it.each([
    ['a=inactive', sdpOf([{ direction: 'inactive' }, { direction: 'inactive' }], 2), 'inactive'],
    ['c=0.0.0.0', sdpOf([{}, {}], 2, '0.0.0.0'), 'recvonly'],
  ])('with %s holds the channels and keeps the call', async (_what, held, direction) => {
    const { media } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite({ body: sdpOf([{}, {}]) });
    const answer = await dialog.invite({ body: held });
    expect(answer.body.match(/^a=(recvonly|inactive)/gm)).toEqual([`a=${direction}`, `a=${direction}`]);
    expect(answer.body).not.toContain('m=audio 0');
    const channels = media[0]!.of('leg.update')[0]!.leg.channels;
    expect(channels.map((channel) => channel.state)).toEqual(['held', 'held']);
    // The source stays known, so that the worker need not latch again.
    expect(channels.map((channel) => channel.remote?.address)).toEqual(['127.0.0.1', '127.0.0.1']);
    await dialog.invite({ body: sdpOf([{}, {}], 3) });
    expect(media[0]!.of('leg.update')[1]!.leg.channels.map((channel) => channel.state)).toEqual([
      'active',
      'active',
    ]);
    expect(rig.gateway.liveCalls).toBe(1);
  });

  it('with a further stream (Oracle) opens a second leg on the same worker and tells transcripts', async () => {
    const { media, transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite({ body: siprecBody(sdpOf([{}])), contentType: MULTIPART });
    const answer = await dialog.invite({ body: siprecBody(sdpOf([{}, {}], 2)), contentType: MULTIPART });
    expect(answer.body.match(/^m=audio [1-9]\d+ /gm)).toHaveLength(2);
    const [first, second] = media[0]!.of('leg.open');
    expect(second!.leg.legId).toBe(`${first!.leg.callId}/1`);
    expect(second!.leg.zero).toEqual(first!.leg.zero);
    expect(second!.leg.channels.map((channel) => channel.channel)).toEqual([`${first!.leg.callId}:1`]);
    const updated = await until('call.updated', () => transcripts.of('call.updated')[0]);
    expect(updated.call.channels.map((channel) => channel.participant.name)).toEqual(['Asha', 'Bram']);
    await dialog.bye();
    const ended = await until('call.ended', () => transcripts.of('call.ended')[0]);
    expect(ended.channels).toHaveLength(2);
    expect(media[0]!.legs.size).toBe(0);
  });

  it('that takes a stream away holds its channel and answers it with port 0', async () => {
    const { media } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite({ body: sdpOf([{}, {}]) });
    const answer = await dialog.invite({ body: sdpOf([{}, { port: 0 }], 2) });
    expect(answer.body).toMatch(/m=audio 21002 [^]*m=audio 0 /);
    expect(media[0]!.of('leg.update')[0]!.leg.channels.map((channel) => channel.state)).toEqual([
      'active',
      'held',
    ]);
  });

  it('to a codec that we do not take is refused and leaves the session as it was', async () => {
    const { media } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite({ body: sdpOf([{}]) });
    const answer = await dialog.invite({ body: sdpOf([{ formats: '18' }], 2) });
    expect(answer.status).toBe(488);
    expect(media[0]!.of('leg.update')).toEqual([]);
    expect((await dialog.bye()).status).toBe(200);
  });
});

describe('a call that is paused', () => {
  it('keeps nothing on any of its streams, also new ones, until it goes on; it is in the journal', async () => {
    const { media, transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite({ body: sdpOf([{}]) });
    await until('announced', () => transcripts.of('call.started').length === 1);
    const { callId } = transcripts.of('call.started')[0]!.call;
    transcripts.send({ type: 'call.pause', callId, paused: true });
    await until('paused', () => transcripts.of('call.updated').length === 1);
    expect(transcripts.of('call.updated')[0]!.call.paused).toBe(true);
    expect(media[0]!.of('leg.update').map(({ leg }) => leg.paused)).toEqual([true]);
    await dialog.invite({ body: sdpOf([{}, {}], 2) });
    expect(media[0]!.of('leg.open')[1]!.leg.paused).toBe(true);
    // Asked again: nothing changes.
    transcripts.send({ type: 'call.pause', callId, paused: true });
    transcripts.send({ type: 'call.pause', callId, paused: false });
    await until('on again', () => transcripts.of('call.updated').at(-1)!.call.paused === false);
    expect(media[0]!.of('leg.update').at(-1)!.leg.paused).toBe(false);
    // A call that nobody knows is nobody's.
    transcripts.send({ type: 'call.pause', callId: 'c_unknown' as never, paused: true });
    expect((await dialog.bye()).status).toBe(200);
  });
});

describe('an INVITE without SDP (CUCM’s built-in bridge)', () => {
  const delayed = { body: '', contentType: null };

  it('gets our offer in the 200, and the ACK’s answer says where the stream comes from', async () => {
    const { media } = await start();
    const dialog = (await rig.client()).dialog();
    const offer = await dialog.invite(delayed, sdpOf([{ label: null, formats: '8' }]));
    expect(offer.status).toBe(200);
    expect(offer.body).toMatch(/m=audio 21002 RTP\/AVP 0 8 9 101\r\n[^]*a=recvonly/);
    const opened = media[0]!.of('leg.open')[0]!.leg;
    expect(opened.channels[0]).toMatchObject({ state: 'active', remote: null });
    const update = await until('leg.update', () => media[0]!.of('leg.update')[0]);
    expect(update.leg.channels[0]).toMatchObject({
      codecs: [{ payloadType: 8, name: 'PCMA' }],
      remote: { address: '127.0.0.1', port: 30_000 },
    });
    expect((await dialog.bye()).status).toBe(200);
  });

  it('is taken down when the ACK takes nothing of the offer', async () => {
    const { transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(delayed, sdpOf([{ port: 0 }]));
    await dialog.incoming('BYE');
    const ended = await until('call.ended', () => transcripts.of('call.ended')[0]);
    expect(ended.endReason).toBe('error');
  });

  it('in a held dialog asks for a new offer: it is recvonly again, and the ACK takes the call up', async () => {
    const { media } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite({ body: sdpOf([{}]) });
    const held = await dialog.invite({ body: sdpOf([{ direction: 'inactive' }], 2) });
    const offer = await dialog.invite(delayed, sdpOf([{}], 3));
    expect(offer.body).toContain('a=recvonly');
    expect(versionOf(offer.body)).toBe(versionOf(held.body) + 1);
    const update = await until('second leg.update', () => media[0]!.of('leg.update')[1]);
    expect(update.leg.channels[0]!.state).toBe('active');
  });
});

const versionOf = (sdp: string): number => Number(/^o=earshot \d+ (\d+)/m.exec(sdp)?.[1]);
