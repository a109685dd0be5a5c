import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dialectOf, externalIds, identify, parseMetadata, readBody } from '../src/dialects/index.ts';
import { parseOffer } from '../src/sdp/offer.ts';
import { ciscoForks } from './fixtures/cisco.ts';
import { cloudForks } from './fixtures/cloud.ts';
import type { Fork } from './fixtures/fork.ts';
import { sbcForks } from './fixtures/sbc.ts';
import { headersOf } from './support/headers.ts';
import { Rig } from './support/rig.ts';
import type { SipClient } from './support/sip-client.ts';
import { until } from './support/until.ts';

const forks = [...ciscoForks, ...sbcForks, ...cloudForks].map((fork) => [fork.what, fork] as const);

/** The headers as the SIP server hands them on: the values of one name joined by commas. */
const inviteOf = (fork: Fork): ReturnType<typeof headersOf> => {
  const headers: Record<string, string> = {
    contact: fork.contact ?? '<sip:src@127.0.0.1>;+sip.src',
    from: fork.from ?? '"Fork 7" <sip:fork7@example.test>;tag=1',
    ...(fork.contentType === null ? {} : { 'content-type': fork.contentType }),
  };
  for (const line of fork.headers) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    const value = line.slice(line.indexOf(':') + 1).trim();
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  return headersOf(headers);
};

describe('an INVITE of', () => {
  it.each(forks)('%s is recognised, and its parties are found', (_what, fork) => {
    const invite = inviteOf(fork);
    const body = readBody(fork.contentType, fork.body);
    if (body.kind === 'unsupported') throw new Error(`unsupported: ${body.type}`);
    const sdp = body.kind === 'read' ? body.sdp : null;
    const xml = body.kind === 'read' ? body.metadataXml : null;
    const metadata = xml === null ? null : parseMetadata(xml);
    const { name } = dialectOf({ invite, metadata, sdp });
    expect(name).toBe(fork.dialect);
    const streams = (sdp === null ? [{ label: null }] : parseOffer(sdp).media).map(({ label }) => ({
      label,
      codec: 'PCMU' as const,
    }));
    const channels = identify(name, invite, streams, metadata);
    expect(channels.map(({ role, participant }) => ({ role, ...participant }))).toEqual(fork.parties);
    const together = channels.flatMap(({ participants }) => participants?.map(({ aor }) => aor) ?? []);
    expect(together).toEqual(fork.together ?? []);
    expect(metadata?.notes.filter((note) => note !== 'a stream has no label') ?? []).toEqual([]);
    expect(externalIds(invite, metadata)).toMatchObject(fork.ids ?? {});
    for (const { role, score, evidence } of channels) {
      expect(score > 0).toBe(role !== 'unknown');
      expect(evidence.length).toBeGreaterThan(0);
    }
  });
});

describe('a call forked by', () => {
  let rig: Rig;
  let client: SipClient;
  beforeAll(async () => {
    rig = await Rig.start();
    client = await rig.client();
  });
  afterAll(() => rig.stop());

  it.each(forks)(
    '%s is answered with its m-lines in order, and its parties are announced',
    async (_what, fork) => {
      const dialog = client.dialog();
      const address = `${client.address}:${client.port}`;
      const answer = await dialog.invite({
        body: fork.body,
        contentType: fork.contentType,
        headers: fork.headers,
        ...(fork.from === undefined ? {} : { from: fork.from }),
        ...(fork.contact === undefined ? {} : { contact: fork.contact.replace('ADDRESS', address) }),
      });
      expect(answer.status).toBe(200);
      const lines = answer.body.split('\r\n').filter((line) => /^(m=|a=label:)/.test(line));
      const offered = fork.body
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => /^(m=|a=label:)/.test(line));
      const shape = (line: string): string =>
        line.replace(/^m=(\S+) (\d+) .*/, (_, kind, port) => `m=${kind} ${port > 0}`);
      expect(lines.map(shape)).toEqual(fork.body === '' ? ['m=audio true'] : offered.map(shape));
      const started = await until('call.started', () =>
        rig.transcripts.of('call.started').find(({ call }) => call.sip.callId === dialog.callId),
      );
      expect(started.call.dialect).toBe(fork.dialect);
      expect(started.call.channels.map(({ role, participant }) => ({ role, ...participant }))).toEqual(
        fork.parties,
      );
      expect(started.call.externalIds).toMatchObject(fork.ids ?? {});
      expect((await dialog.bye()).status).toBe(200);
    },
  );

  it('a device that writes compact and folded headers is answered, too', async () => {
    const fork = sbcForks.find(({ dialect }) => dialect === 'oracle')!;
    const dialog = client.dialog();
    const answer = await dialog.invite({
      body: fork.body,
      contentType: null,
      contact: null,
      headers: [
        `m: <sip:src@${client.address}:${client.port}>;\r\n +sip.src`,
        'c: MULTIPART/Mixed;\r\n\tcharset=utf-8;\r\n boundary=unique-boundary-1',
        'k: timer',
      ],
    });
    expect(answer.status).toBe(200);
    expect(answer.body.match(/^m=audio [1-9]\d* /gm)).toHaveLength(2);
    const started = await until('call.started', () =>
      rig.transcripts.of('call.started').find(({ call }) => call.sip.callId === dialog.callId),
    );
    expect(started.call.channels.map(({ role, participant }) => ({ role, ...participant }))).toEqual(
      fork.parties,
    );
    expect((await dialog.bye()).status).toBe(200);
  });
});
