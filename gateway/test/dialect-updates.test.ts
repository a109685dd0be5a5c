import type { CallInfo } from '@earshot/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { crlf, MULTIPART, multipartOf, sdpOf, siprecBody, siprecInvite } from './support/bodies.ts';
import { Rig, type RigOptions } from './support/rig.ts';
import { until } from './support/until.ts';

let rig: Rig;
const start = async (options?: RigOptions): Promise<Rig> => (rig = await Rig.start(options));
afterEach(() => rig.stop());

const parties = (call: CallInfo): unknown[] =>
  call.channels.map(({ role, participant }) => [participant.name ?? participant.aor, role]);

const updated = (says: (call: CallInfo) => boolean): Promise<CallInfo> =>
  until('call.updated', () => rig.transcripts.of('call.updated').findLast(({ call }) => says(call))?.call);

/** Of the participants and streams of `rfcMetadata`. */
const ASHA = 'srfBElmCRp2QB23b7Mpk0w==';
const BRAM = 'zSfPoSvdSDCmU3A3TRDxAw==';
const partial = (...lines: string[]): string =>
  crlf(['<?xml version="1.0"?>', '<recording>', '<dataMode>Partial</dataMode>', ...lines, '</recording>']);

const transfer = partial(
  `<participantsessionassoc participant_id="${ASHA}"><disassociate-time>2026-04-01T10:00:00Z</disassociate-time></participantsessionassoc>`,
  '<participant participant_id="c"><nameID aor="sip:4711@pbx.example.test"><name>Cleo</name></nameID></participant>',
  '<participantstreamassoc participant_id="c"><send>UAAMm5GRQKSCMVvLyl4rFw==</send></participantstreamassoc>',
);

describe('a live call', () => {
  it('follows a transfer that a re-INVITE describes, and knows its agents by AGENT_NUMBERS', async () => {
    const { transcripts } = await start({ env: { AGENT_NUMBERS: '47xx', AGENT_DOMAINS: 'nowhere.test' } });
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    const begun = await until('call.started', () => transcripts.of('call.started')[0]?.call);
    expect(parties(begun)).toEqual([
      ['Asha', 'agent'],
      ['Bram', 'customer'],
    ]);
    const answer = await dialog.invite({
      body: siprecBody(sdpOf([{}, {}], 2), transfer),
      contentType: MULTIPART,
    });
    expect(answer.status).toBe(200);
    expect(answer.body.match(/^m=audio [1-9]/gm)).toHaveLength(2);
    const call = await updated(({ channels }) => channels[0]!.participant.name === 'Cleo');
    expect(parties(call)).toEqual([
      ['Cleo', 'agent'],
      ['Bram', 'customer'],
    ]);
    // The number plan agrees: 4711 talks with a number of the world.
    expect(call.channels[0]).toMatchObject({ score: 0.99 });
    expect(call.channels[0]!.evidence).toContain('agent by AGENT_NUMBERS (0.98)');
  });

  it('takes ids and a third party from an UPDATE of bare metadata with bare line feeds', async () => {
    await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    const xml = partial(
      '<session session_id="hVpd7YQgRW2nD22h7q60JQ=="><ac:GenesysUUID>00QM1CPK3V8B1</ac:GenesysUUID></session>',
      '<participant participant_id="d"><nameID aor="sip:dora@example.test"/></participant>',
      '<participantstreamassoc participant_id="d"><send>i1Pz3to5hGk8fuXl+PbwCw==</send></participantstreamassoc>',
    );
    dialog.request('UPDATE', { body: xml.replaceAll('\r\n', '\n'), contentType: 'Application/RS-Metadata' });
    expect((await dialog.final('UPDATE')).status).toBe(200);
    const call = await updated(({ externalIds }) => externalIds['x-genesys-calluuid'] === '00QM1CPK3V8B1');
    expect(parties(call)).toEqual([
      ['Asha', 'agent'],
      [null, 'mixed'],
    ]);
    expect(call.externalIds['metadata-session-id']).toBe('hVpd7YQgRW2nD22h7q60JQ==');
  });

  it('ends well with a BYE whose metadata says that everybody leaves, and forgets nobody', async () => {
    const { transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    const leaves = [ASHA, BRAM].map(
      (id) =>
        `<participant participant_id="${id}"><disassociate-time>2026-04-01T10:00:00Z</disassociate-time></participant>`,
    );
    dialog.request('BYE', { body: partial(...leaves), contentType: 'application/rs-metadata+xml' });
    expect((await dialog.final('BYE')).status).toBe(200);
    await until('call.ended', () => transcripts.of('call.ended')[0]);
    for (const { call } of [...transcripts.of('call.started'), ...transcripts.of('call.updated')]) {
      expect(parties(call)).toEqual([
        ['Asha', 'agent'],
        ['Bram', 'customer'],
      ]);
    }
  });

  it('is not harmed by an UPDATE whose metadata is refused', async () => {
    const { media } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    dialog.request('UPDATE', { body: '<!DOCTYPE r><r/>', contentType: 'application/rs-metadata+xml' });
    expect((await dialog.final('UPDATE')).status).toBe(400);
    const again = await dialog.invite({
      body: multipartOf([
        ['application/rs-metadata+xml', transfer],
        ['application/sdp', sdpOf([{}, {}], 3)],
      ]),
      contentType: MULTIPART,
    });
    expect(again.status).toBe(200);
    expect(media[0]!.legs.size).toBe(1);
  });

  it('of Cisco’s built-in bridge follows the far end that an UPDATE without a body names in its From', async () => {
    const { transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    const from = (far: string): string =>
      `<sip:4002@192.0.2.28;x-farend;x-refci=27;x-nearendaddr=4002;x-farendrefci=26;x-farendaddr=${far}>`;
    const bare = { body: '', contentType: null };
    const update = async (far: string): Promise<number> => {
      dialog.request('UPDATE', { ...bare, from: from(far) });
      return (await dialog.final('UPDATE')).status;
    };
    const answer = await dialog.invite({ ...bare, from: from('1000') }, sdpOf([{ direction: 'sendonly' }]));
    expect(answer.status).toBe(200);
    const begun = await until('call.started', () => transcripts.of('call.started')[0]?.call);
    expect(parties(begun)).toEqual([['sip:1000@192.0.2.28', 'customer']]);
    expect(await update('1000')).toBe(200);
    expect(await update('+4930555010199')).toBe(200);
    const call = await updated(({ channels }) => channels[0]!.participant.aor !== 'sip:1000@192.0.2.28');
    expect(parties(call)).toEqual([['sip:+4930555010199@192.0.2.28', 'customer']]);
  });
});
