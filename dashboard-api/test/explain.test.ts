import type { CallId, CallView, DiagnosisView, ProblemView, TraceView } from '@earshot/contracts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { type Harness, startHarness } from './harness.ts';

let h: Harness;
beforeAll(async () => {
  h = await startHarness();
});
afterAll(async () => {
  await h.stop();
  await stopServers();
});

const INVITE = [
  'INVITE sip:srs@192.0.2.1 SIP/2.0',
  'CSeq: 1 INVITE',
  'Content-Type: application/sdp',
  '',
  'v=0',
  'c=IN IP4 192.0.2.7',
  'm=audio 30000 RTP/AVP 0',
  'a=sendonly',
  'a=label:1',
  '',
].join('\r\n');
const OK = 'SIP/2.0 200 OK\r\nCSeq: 1 INVITE\r\n\r\n';

describe('a trace', () => {
  const startedAtMs = Date.UTC(2026, 10, 1, 12);
  let callId: CallId;
  beforeAll(async () => {
    callId = await h.writer.startCall({ startedAtMs });
    await h.writer.trace(callId, [
      ['in', 0, INVITE],
      ['out', 4.25, OK],
      ['in', 5, 'ACK sip:srs@192.0.2.1 SIP/2.0\r\nCSeq: 1 ACK\r\n\r\n\u001b[2J'],
    ]);
    await h.pool.query('update sip_messages set omitted = 7 where call_id = $1 and at_us = 5000', [callId]);
  });

  test('has each message with its time, its way and its title', async () => {
    const trace = await h.json<TraceView>(`/v1/calls/${callId}/trace`);
    expect(trace).toMatchObject({ callId, omitted: 7, nextCursor: null });
    expect(trace.items.map(({ summary, method, status }) => [summary, method, status])).toEqual([
      ['INVITE', 'INVITE', null],
      ['200 OK (INVITE)', 'INVITE', 200],
      ['ACK', 'ACK', null],
    ]);
    expect(trace.items[1]).toMatchObject({
      atMs: 4.25,
      at: '2026-11-01T12:00:00.004Z',
      direction: 'out',
      transport: 'udp',
      source: '192.0.2.1:5060',
      destination: '192.0.2.7:5062',
      omittedBefore: 0,
    });
    expect(trace.items[0]!.text).toBe(INVITE);
    expect(trace.items[2]!.omittedBefore).toBe(7);
  });

  test('is to be had as a ladder with the messages below it, and nothing in it moves a cursor', async () => {
    const response = await h.request(`/v1/calls/${callId}/trace.txt`);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const text = await response.text();
    expect(text).toMatch(/ 0\.000 s {2}\|-+ INVITE -+>\|/);
    expect(text).toMatch(/ 0\.004 s {2}\|<-+ 200 OK \(INVITE\) -+\|/);
    expect(text).toContain('7 messages not kept');
    expect(text).toContain('192.0.2.7:5062 -> 192.0.2.1:5060');
    expect(text).toContain('m=audio 30000 RTP/AVP 0');
    expect(text).not.toContain('\u001b');
    const widths = text.split('\n').flatMap((line) => (/\|[-<]/.test(line) ? [line.length] : []));
    expect(new Set(widths).size).toBe(1);
  });

  test('of a call without one is empty, and goes to nobody without a key', async () => {
    const other = await h.writer.startCall();
    expect(await h.json<TraceView>(`/v1/calls/${other}/trace`)).toMatchObject({ items: [], omitted: 0 });
    expect((await fetch(`${h.url}/v1/calls/${callId}/trace`)).status).toBe(401);
    expect((await fetch(`${h.url}/v1/calls/${callId}/trace.txt`)).status).toBe(401);
  });
});

describe('a diagnosis', () => {
  const of = (callId: CallId): Promise<DiagnosisView> => h.json(`/v1/calls/${callId}/diagnosis`);

  test('is read from the trace, the ledger and the totals of the call', async () => {
    const callId = await h.writer.startCall();
    await h.writer.trace(callId, [
      ['in', 0, INVITE],
      ['out', 4, OK],
    ]);
    await h.writer.ledger(callId, 0, 0, [['absent', 30_000]], { ended: true });
    await h.writer.ledger(callId, 1, 0, [['received', 30_000]], { ended: true });
    await h.writer.endCall(callId);
    const { empty, findings } = await of(callId);
    expect(empty).toBe(true);
    expect(findings.map(({ code, channel }) => [code, channel])).toEqual([
      ['never-acknowledged', null],
      ['no-packets', 0],
      ['no-words', 1],
    ]);
    expect(findings[1]!.evidence.join()).toContain('192.0.2.7:30000');
  });

  test('finds nothing where everyone has said something, and tells of the one channel that has not', async () => {
    const callId = await h.writer.startCall();
    await h.writer.final(callId, { channel: 0, startMs: 1000, text: 'Good morning' });
    await h.writer.ledger(callId, 1, 0, [['absent', 9000]]);
    const half = await of(callId);
    expect(half.empty).toBe(false);
    expect(half.findings.map(({ code, channel }) => [code, channel])).toEqual([['no-packets', 1]]);
    await h.writer.final(callId, { channel: 1, startMs: 2000, text: 'Hello' });
    expect(await of(callId)).toMatchObject({ empty: false, findings: [] });
  });
});

describe('a correction', () => {
  const correct = (callId: string, index: number | string, body: object): Promise<Response> =>
    h.send(`/v1/calls/${callId}/channels/${index}`, 'POST', body);

  test('goes to transcripts, and the call that is so then comes back', async () => {
    const callId = await h.writer.startCall({ agent: 'Ann' });
    h.transcripts.commands.length = 0;
    const response = await correct(callId, 1, { role: 'agent', participant: { name: 'Bea' } });
    expect(response.status).toBe(200);
    const call = (await response.json()) as CallView;
    expect(call.channels[1]).toMatchObject({
      role: 'agent',
      score: 1,
      participant: { name: 'Bea', aor: 'sip:customer@example.test' },
      evidence: ['metadata', 'corrected by the API key'],
    });
    expect(h.transcripts.commands).toMatchObject([
      {
        type: 'channel.correct',
        callId,
        index: 1,
        role: 'agent',
        participant: { name: 'Bea' },
        by: 'the API key',
      },
    ]);
  });

  test('that cannot be is refused with what is wrong', async () => {
    const callId = await h.writer.startCall();
    h.transcripts.commands.length = 0;
    const refusal = async (index: number | string, body: object, id: string = callId): Promise<unknown[]> => {
      const response = await correct(id, index, body);
      return [response.status, ((await response.json()) as ProblemView).code];
    };
    expect(await refusal(0, { role: 'boss' })).toEqual([400, 'REQUEST_INVALID']);
    expect(await refusal(0, { role: 'agent', name: 'Ann' })).toEqual([400, 'REQUEST_INVALID']);
    expect(await refusal('x', { role: 'agent' })).toEqual([400, 'REQUEST_INVALID']);
    expect(await refusal(0, {})).toEqual([400, 'REQUEST_INVALID']);
    expect(h.transcripts.commands).toEqual([]);
    expect(await refusal(5, { role: 'agent' })).toEqual([404, 'CHANNEL_NOT_FOUND']);
    expect(await refusal(0, { role: 'agent' }, 'nowhere')).toEqual([404, 'CALL_NOT_FOUND']);
  });
});
