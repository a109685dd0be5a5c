import type { ChannelPorts, Leg } from '@earshot/contracts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { crlf, MULTIPART, multipartOf, sdpOf, siprecBody, siprecInvite } from './support/bodies.ts';
import { Rig, type RigOptions } from './support/rig.ts';
import type { ClientDialog } from './support/sip-client.ts';
import { until } from './support/until.ts';

let rig: Rig;
const start = async (options?: RigOptions): Promise<Rig> => (rig = await Rig.start(options));
afterEach(() => rig.stop());

describe('a SIPREC call', () => {
  it('is answered with both streams, recvonly, labelled, on the media worker’s ports', async () => {
    const { media, transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    const answer = await dialog.invite(siprecInvite);
    expect(answer.status).toBe(200);
    const leg = media[0]!.of('leg.open')[0]!.leg;
    expect(leg.channels.map(({ state, remote }) => ({ state, remote }))).toEqual([
      { state: 'active', remote: { address: '127.0.0.1', port: 30_000 } },
      { state: 'active', remote: { address: '127.0.0.1', port: 30_002 } },
    ]);
    expect(answer.body.split('\r\n')).toEqual([
      'v=0',
      expect.stringMatching(/^o=earshot \d+ 1 IN IP4 127\.0\.0\.1$/),
      's=earshot',
      'c=IN IP4 127.0.0.1',
      't=0 0',
      'm=audio 21002 RTP/AVP 0 8',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:8 PCMA/8000',
      'a=ptime:20',
      'a=recvonly',
      'a=label:1',
      'm=audio 21004 RTP/AVP 0 8',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:8 PCMA/8000',
      'a=ptime:20',
      'a=recvonly',
      'a=label:2',
      '',
    ]);
    expect(answer.headers.get('contact')).toContain('+sip.srs');
    const started = await until('call.started', () => transcripts.of('call.started')[0]);
    expect(started.call).toMatchObject({
      callId: leg.callId,
      dialect: 'siprec-rfc7866',
      worker: 0,
      sip: { callId: dialog.callId, transport: 'udp' },
      externalIds: {
        'session-id': '0123456789abcdef0123456789abcdef',
        'metadata-session-id': 'hVpd7YQgRW2nD22h7q60JQ==',
        'metadata-group-id': '7+OTCyoxTmqmqyA/1weDAg==',
      },
      channels: [
        {
          index: 0,
          role: 'agent',
          label: '1',
          participant: { name: 'Asha', aor: 'sip:agent12@example.test' },
        },
        { index: 1, role: 'customer', label: '2', participant: { name: 'Bram' } },
      ],
    });
    expect(started.call.startedAtMs).toBe(leg.zero.wallMs);
  });

  it('ends with the caller’s BYE, and transcripts gets the totals of both channels', async () => {
    const { media, transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    expect((await dialog.bye()).status).toBe(200);
    const ended = await until('call.ended', () => transcripts.of('call.ended')[0]);
    expect(ended.endReason).toBe('bye');
    expect(ended.channels.map((channel) => channel.packetsReceived)).toEqual([50, 50]);
    expect(media[0]!.legs.size).toBe(0);
    expect(rig.gateway.liveCalls).toBe(0);
  });
});

describe('a call that ends in another way', () => {
  it('is closed on its worker and reported as cancelled when CANCEL comes before the ports', async () => {
    const { media } = await start();
    media[0]!.onOpen = 'ignore';
    const dialog = (await rig.client()).dialog();
    dialog.request('INVITE', siprecInvite);
    const open = await until('leg.open', () => media[0]!.of('leg.open')[0]);
    dialog.request('CANCEL', { body: '', contentType: null }, true);
    expect((await dialog.final('INVITE')).status).toBe(487);
    media[0]!.legs.set(open.leg.legId, open.leg);
    media[0]!.send({ type: 'leg.opened', id: open.id, legId: open.leg.legId, ports: portsOf(open.leg) });
    const close = await until('leg.close', () => media[0]!.of('leg.close')[0]);
    expect(close.legId).toBe(open.leg.legId);
    await until('no call', () => rig.gateway.liveCalls === 0);
    expect(rig.transcripts.messages).toEqual([]);
  });

  it('is ended by a BYE from us when no RTP comes', async () => {
    const { media, transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    media[0]!.send({ type: 'leg.timeout', legId: media[0]!.of('leg.open')[0]!.leg.legId });
    const bye = await dialog.incoming('BYE');
    expect(bye.headers.get('reason')).toContain('rtp-timeout');
    const ended = await until('call.ended', () => transcripts.of('call.ended')[0]);
    expect(ended.endReason).toBe('rtp-timeout');
  });

  it('is ended by the SIP server when no ACK comes', async () => {
    const { media, transcripts } = await start({ hurry: 40 });
    const dialog = (await rig.client()).dialog();
    dialog.request('INVITE', siprecInvite);
    expect((await dialog.final('INVITE')).status).toBe(200);
    const ended = await until('call.ended', () => transcripts.of('call.ended')[0]);
    expect(ended.endReason).toBe('ack-timeout');
    expect(media[0]!.legs.size).toBe(0);
  });

  it('is ended by a BYE from us with reason local when the gateway is drained', async () => {
    const { transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    const drained = rig.gateway.drain();
    await dialog.incoming('BYE');
    await drained;
    expect(transcripts.of('call.ended').map((ended) => ended.endReason)).toEqual(['local']);
  });
});

describe('an INVITE that cannot be taken', () => {
  it('from outside SIP_ALLOW gets 403, and so does OPTIONS', async () => {
    const { media } = await start({ env: { SIP_ALLOW: '127.0.0.1/32' } });
    const warned = vi.spyOn(rig.log, 'warn');
    const stranger = await rig.client('127.0.0.2');
    const dialog = stranger.dialog();
    const refused = await dialog.invite(siprecInvite);
    expect(refused.status).toBe(403);
    expect(refused.headers.get('warning')).toBe('399 earshot "not in SIP_ALLOW"');
    const told = { method: 'INVITE', status: 403, source: '127.0.0.2', sipCallId: dialog.callId };
    expect(warned).toHaveBeenCalledWith(expect.objectContaining(told), 'request refused');
    expect(await rig.registry.metrics()).toMatch(
      /^earshot_admission_refusals_total\{.*reason="source".*\} 1$/m,
    );
    expect((await stranger.ask('OPTIONS')).status).toBe(403);
    expect((await (await rig.client()).ask('OPTIONS')).status).toBe(200);
    expect(media[0]!.messages.map((message) => message.type)).toEqual(['leg.sync']);
  });

  it.each<[what: string, status: number, says: RegExp, invite: Parameters<ClientDialog['invite']>[0]]>([
    ['codecs we lack', 488, /305 earshot ".*GSM, G729.*PCMU, PCMA/, { body: sdpOf([{ formats: '3 18' }]) }],
    ['SRTP without a key', 488, /no a=crypto/, { body: sdpOf([{}]).replace('RTP/AVP', 'RTP/SAVP') }],
    ['DTLS', 488, /not supported.*a=crypto/, { body: sdpOf([{}]).replace('RTP/AVP', 'UDP/TLS/RTP/SAVPF') }],
    ['video alone', 488, /no m=audio line/, { body: sdpOf([{}]).replace('m=audio', 'm=video') }],
    ['garbage for SDP', 400, /line 1 is not v=0/, { body: 'garbage\r\nmore of it\r\n' }],
    ['an m-line without formats', 400, /m= line 1/, { body: sdpOf([{}]).replace(' RTP/AVP 0 8', '') }],
    [
      'a multipart body without its boundary',
      400,
      /no line is the boundary/,
      { body: 'x', contentType: MULTIPART },
    ],
    ['multipart without a boundary', 400, /no boundary/, { body: 'x', contentType: 'multipart/mixed' }],
    [
      'metadata with a DTD',
      400,
      /DTD/,
      {
        body: siprecBody(sdpOf([{}]), '<!DOCTYPE r [<!ENTITY a "a">]><recording>&a;</recording>'),
        contentType: MULTIPART,
      },
    ],
    ['another Content-Type', 415, /text\/plain/, { body: 'hello', contentType: 'text/plain' }],
  ])(
    'for %s gets %i with a Warning, and a good call right after is taken',
    async (_what, status, says, invite) => {
      await start();
      const client = await rig.client();
      const refused = await client.dialog().invite(invite);
      expect(refused.status).toBe(status);
      expect(refused.headers.get('warning')).toMatch(says);
      expect(rig.gateway.liveCalls).toBe(0);
      expect((await client.dialog().invite(siprecInvite)).status).toBe(200);
    },
  );

  it('that came by a second way while the first is being set up gets 482, and the first is answered', async () => {
    const { media } = await start();
    media[0]!.onOpen = 'ignore';
    const dialog = (await rig.client()).dialog();
    dialog.request('INVITE', siprecInvite);
    const open = await until('leg.open', () => media[0]!.of('leg.open')[0]);
    dialog.request('INVITE', siprecInvite, true);
    expect((await dialog.final('INVITE')).status).toBe(482);
    media[0]!.send({ type: 'leg.opened', id: open.id, legId: open.leg.legId, ports: portsOf(open.leg) });
    await until('call.started', () => rig.transcripts.of('call.started')[0]);
    expect(media[0]!.of('leg.open')).toHaveLength(1);
  });

  it('without a Contact gets 400', async () => {
    await start();
    const client = await rig.client();
    expect((await client.dialog().invite({ body: sdpOf([{}]), contact: null })).status).toBe(400);
    expect(rig.gateway.liveCalls).toBe(0);
  });

  it('names what it accepts with 415 and what it does not know with 420', async () => {
    await start();
    const client = await rig.client();
    const media = await client.dialog().invite({ body: 'x', contentType: 'text/plain' });
    expect(media.headers.get('accept')).toContain('application/rs-metadata+xml');
    const extension = await client.dialog().invite({ body: sdpOf([{}]), headers: ['Require: siprec, gruu'] });
    expect(extension.status).toBe(420);
    expect(extension.headers.get('unsupported')).toBe('gruu');
  });

  it('gets 503 with Retry-After above MAX_CALLS, and is taken when a call has ended', async () => {
    await start({ env: { MAX_CALLS: '1' } });
    const client = await rig.client();
    const first = client.dialog();
    await first.invite(siprecInvite);
    const refused = await client.dialog().invite(siprecInvite);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await first.bye();
    await until('the call is gone', () => rig.gateway.liveCalls === 0);
    expect((await client.dialog().invite(siprecInvite)).status).toBe(200);
  });

  it('survives hostile bodies of every kind and takes a call after all of them', async () => {
    await start();
    const client = await rig.client();
    const laughs = `<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">${Array.from({ length: 9 }, (_, i) => `<!ENTITY lol${i + 1} "${`&lol${i === 0 ? '' : i};`.repeat(10)}">`).join('')}]><recording>&lol9;</recording>`;
    const hostile = [
      siprecBody(sdpOf([{}]), laughs),
      siprecBody(sdpOf([{}]), '<a>'.repeat(3_000)),
      siprecBody(sdpOf([{}]), '<recording'),
      siprecBody(`v=0\r\n${'m=audio 1 RTP/AVP 0\r\n'.repeat(100)}`),
      siprecBody('\u0000\u0001'),
      multipartOf([['application/sdp', '']]),
    ];
    for (const body of hostile) {
      const answer = await client.dialog().invite({ body, contentType: MULTIPART });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
    expect((await client.dialog().invite(siprecInvite)).status).toBe(200);
  });
});

describe('the metrics', () => {
  it('count calls by outcome, refusals by reason, requests by method, and time the set-up', async () => {
    await start({ env: { MAX_CALLS: '1' } });
    const client = await rig.client();
    const dialog = client.dialog();
    await dialog.invite(siprecInvite);
    await client.dialog().invite(siprecInvite);
    const text = await rig.registry.metrics();
    expect(text).toMatch(/^earshot_live_calls\{.*\} 1$/m);
    expect(text).toMatch(/^earshot_call_setup_seconds_count\{.*\} 1$/m);
    expect(text).toMatch(/^earshot_admission_refusals_total\{.*reason="max_calls".*\} 1$/m);
    expect(text).toMatch(/^earshot_sip_requests_total\{.*method="INVITE".*\} 2$/m);
    await dialog.bye();
    await until('the call is gone', () => rig.gateway.liveCalls === 0);
    const after = await rig.registry.metrics();
    expect(after).toMatch(/^earshot_calls_total\{.*outcome="bye".*\} 1$/m);
    expect(after).toMatch(/^earshot_calls_total\{.*outcome="refused".*\} 1$/m);
    expect(after).toMatch(/^earshot_live_calls\{.*\} 0$/m);
  });
});

describe('requests around calls', () => {
  it('OPTIONS says what is taken; INFO in a dialog gets 200 and BYE of no dialog 481', async () => {
    await start();
    const client = await rig.client();
    const options = await client.ask('OPTIONS');
    expect(options.headers.get('allow')).toContain('INVITE');
    expect(options.headers.get('accept')).toContain('multipart/mixed');
    const dialog = client.dialog();
    await dialog.invite(siprecInvite);
    dialog.request('INFO', { body: 'x', contentType: 'application/dtmf-relay' });
    expect((await dialog.final('INFO')).status).toBe(200);
    const stranger = client.dialog();
    stranger.toTag = 'nobody';
    expect((await stranger.bye()).status).toBe(481);
  });

  it('an UPDATE with bare metadata (Avaya) renames a party without touching the session', async () => {
    const { media, transcripts } = await start();
    const dialog = (await rig.client()).dialog();
    await dialog.invite(siprecInvite);
    const partial = crlf([
      '<recording xmlns="urn:ietf:params:xml:ns:recording:1"><dataMode>Partial</dataMode>',
      '<participant participant_id="zSfPoSvdSDCmU3A3TRDxAw=="><nameID aor="sip:cleo@example.test"><name>Cleo</name></nameID></participant>',
      '</recording>',
    ]);
    dialog.request('UPDATE', { body: partial, contentType: 'application/rs-metadata+xml' });
    expect((await dialog.final('UPDATE')).status).toBe(200);
    const updated = await until('call.updated', () => transcripts.of('call.updated')[0]);
    expect(updated.call.channels.map((channel) => channel.participant.name)).toEqual(['Asha', 'Cleo']);
    expect(media[0]!.of('leg.update')).toEqual([]);
  });

  it('a plain INVITE with one stream is a mixed call of the party in From', async () => {
    const { transcripts } = await start();
    await (
      await rig.client()
    )
      .dialog()
      .invite({ body: sdpOf([{ label: null, direction: null }]), contact: '<sip:pbx@127.0.0.1>' });
    const started = await until('call.started', () => transcripts.of('call.started')[0]);
    expect(started.call.dialect).toBe('plain');
    expect(started.call.channels).toMatchObject([
      { role: 'mixed', participant: { name: 'Fork 7', aor: 'sip:fork7@example.test' } },
    ]);
  });
});

const portsOf = (leg: Leg): ChannelPorts[] =>
  leg.channels.map(({ channel }, index) => ({
    channel,
    rtpPort: 22_000 + index * 2,
    rtcpPort: 22_001 + index * 2,
  }));
