import { afterEach, describe, expect, it } from 'vitest';
import { MULTIPART, rfcMetadata, sdpOf, siprecBody, siprecInvite } from './support/bodies.ts';
import { Rig, type RigOptions } from './support/rig.ts';
import type { ClientDialog } from './support/sip-client.ts';
import { until } from './support/until.ts';

let rig: Rig;
let dialog: ClientDialog;
const start = async (options?: RigOptions): Promise<Rig> => {
  rig = await Rig.start(options);
  dialog = (await rig.client()).dialog();
  return rig;
};
afterEach(() => rig.stop());

const delayed = { body: '', contentType: null };
const stateOf = (): unknown => rig.media[0]!.of('leg.update').at(-1)?.leg.channels[0]!.state;

describe('an offer of ours that is not answered yet', () => {
  it('makes a re-INVITE and an UPDATE with an offer wait: 491, and the ACK’s answer is taken after it', async () => {
    const { media } = await start();
    await dialog.inviteOnly(delayed);
    dialog.request('INVITE', { body: sdpOf([{}], 2) });
    expect((await dialog.final('INVITE')).status).toBe(491);
    dialog.request('UPDATE', { body: sdpOf([{}], 2) });
    expect((await dialog.final('UPDATE')).status).toBe(491);
    expect(media[0]!.of('leg.update')).toEqual([]);
    dialog.ack(sdpOf([{ formats: '8' }]), 1);
    await until('leg.update', () => media[0]!.of('leg.update')[0]);
    const again = await dialog.invite({ body: sdpOf([{ port: 31_000, formats: '8' }], 2) });
    expect(again.status).toBe(200);
    expect(media[0]!.of('leg.update').at(-1)!.leg.channels[0]!.remote?.port).toBe(31_000);
  });

  it('lets metadata alone pass', async () => {
    await start();
    await dialog.inviteOnly(delayed);
    const headers = ['Content-Disposition: recording-session'];
    dialog.request('UPDATE', { body: rfcMetadata, contentType: 'application/rs-metadata+xml', headers });
    expect((await dialog.final('UPDATE')).status).toBe(200);
  });

  it('that the ACK does not answer leaves the session as it was, and the next offer is taken', async () => {
    const { media } = await start();
    await dialog.invite(delayed, '');
    const answer = await dialog.invite({ body: sdpOf([{}]) });
    expect(answer.status).toBe(200);
    expect(media[0]!.of('leg.update').at(-1)!.leg.channels[0]!.remote?.port).toBe(30_000);
    expect((await dialog.bye()).status).toBe(200);
  });

  it('in a re-INVITE may be answered without one of its streams, which rests then', async () => {
    const { media } = await start();
    await dialog.invite({ body: sdpOf([{}, {}]) });
    const offer = await dialog.invite(delayed, sdpOf([{}, { port: 0 }], 2));
    expect(offer.body.match(/^m=audio [1-9]/gm)).toHaveLength(2);
    const update = await until('leg.update', () => media[0]!.of('leg.update')[0]);
    expect(update.leg.channels.map(({ state }) => state)).toEqual(['active', 'held']);
    expect(rig.gateway.liveCalls).toBe(1);
  });

  it('answered by inactive is a hold, and repeated as an offer it gets inactive', async () => {
    await start();
    await dialog.invite({ body: sdpOf([{}]) });
    const held = sdpOf([{ direction: 'inactive' }], 2);
    const offer = await dialog.invite(delayed, held);
    expect(offer.body).toContain('a=recvonly');
    await until('held', () => stateOf() === 'held');
    const answer = await dialog.invite({ body: held });
    expect(answer.body).toContain('a=inactive');
    expect(answer.body).not.toContain('a=recvonly');
  });
});

describe('a second offer', () => {
  it('before the first is answered is asked to come again, after 0 to 10 s', async () => {
    const { media } = await start();
    await dialog.invite({ body: sdpOf([{}]) });
    media[0]!.onUpdate = () => 'hold';
    dialog.request('INVITE', { body: sdpOf([{ port: 31_000 }], 2) });
    await until('leg.update', () => media[0]!.of('leg.update')[0]);
    dialog.request('UPDATE', { body: sdpOf([{ port: 32_000 }], 3) });
    const refused = await dialog.final('UPDATE');
    expect(refused.status).toBe(500);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(10);
    media[0]!.release();
    expect((await dialog.final('INVITE', 2)).status).toBe(200);
    expect(media[0]!.of('leg.update')).toHaveLength(1);
  });

  it('that overtakes the ACK of an answer of ours is taken: the answer has come', async () => {
    await start();
    await dialog.inviteOnly({ body: sdpOf([{}]) });
    const second = await dialog.inviteOnly({ body: sdpOf([{ direction: 'inactive' }], 2) });
    expect(second.status).toBe(200);
    expect(second.body).toContain('a=inactive');
    dialog.ack('', 1);
    dialog.ack('', 2);
    expect((await dialog.bye()).status).toBe(200);
  });
});

describe('an UPDATE', () => {
  it('with an offer is answered like a re-INVITE; without one it is a refresh, and has no SDP', async () => {
    await start();
    await dialog.invite({ body: sdpOf([{}]) });
    dialog.request('UPDATE', { body: sdpOf([{ direction: 'inactive' }], 2) });
    const held = await dialog.final('UPDATE');
    expect(held.status).toBe(200);
    expect(held.body).toContain('a=inactive');
    expect(stateOf()).toBe('held');
    dialog.request('UPDATE', { ...delayed, headers: ['Supported: timer', 'Session-Expires: 1800'] });
    const refresh = await dialog.final('UPDATE');
    expect(refresh.status).toBe(200);
    expect(refresh.body).toBe('');
    expect(refresh.headers.get('session-expires')).toBe('1800;refresher=uac');
    expect(stateOf()).toBe('held');
  });

  it('of metadata alone (Avaya) says who speaks', async () => {
    const { transcripts } = await start();
    await dialog.invite({ body: sdpOf([{}, {}]), headers: ['Require: siprec'] });
    const headers = ['Content-Disposition: recording-session'];
    dialog.request('UPDATE', { body: rfcMetadata, contentType: 'application/rs-metadata+xml', headers });
    expect((await dialog.final('UPDATE')).status).toBe(200);
    const updated = await until('call.updated', () => transcripts.of('call.updated')[0]);
    expect(updated.call.channels.map(({ participant }) => participant.name)).toEqual(['Asha', 'Bram']);
  });
});

describe('the end of a call', () => {
  it('by a BYE with metadata (Ribbon) takes down who was there', async () => {
    const { transcripts } = await start();
    await dialog.invite({ ...siprecInvite, body: siprecBody(sdpOf([{}, {}])) });
    const later = rfcMetadata.replace('<name>Bram</name>', '<name>Carla</name>');
    dialog.request('BYE', { body: later, contentType: 'application/rs-metadata+xml' });
    expect((await dialog.final('BYE')).status).toBe(200);
    await until('call.ended', () => transcripts.of('call.ended')[0]);
    expect(transcripts.of('call.updated').at(-1)!.call.channels[1]!.participant.name).toBe('Carla');
  });

  it('comes also by a BYE whose body nobody can read', async () => {
    const { transcripts } = await start();
    await dialog.invite({ body: siprecBody(sdpOf([{}])), contentType: MULTIPART });
    dialog.request('BYE', { body: '<!DOCTYPE x []>', contentType: 'application/rs-metadata+xml' });
    expect((await dialog.final('BYE')).status).toBe(200);
    await until('call.ended', () => transcripts.of('call.ended')[0]);
  });
});

describe('an INVITE that wants reliable provisional responses', () => {
  it('is answered at once, without any; a PRACK has nothing to acknowledge', async () => {
    await start();
    const answer = await dialog.invite({ body: sdpOf([{}]), headers: ['Require: 100rel'] });
    expect(answer.status).toBe(200);
    dialog.request('PRACK', { ...delayed, headers: ['RAck: 1 1 INVITE'] });
    expect((await dialog.final('PRACK')).status).toBe(481);
  });
});
