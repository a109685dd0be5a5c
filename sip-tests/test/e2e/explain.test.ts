/** What explains a call: its SIP messages without their secrets, why it has no words, and who was taken for whom. */
import { randomBytes } from 'node:crypto';
import type { CallView, DiagnosisView, EventView, TraceView } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DemoCall } from '../../src/call.ts';
import { loadDialogue } from '../../src/dialogue.ts';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { RtpPacer } from '../../src/rtp-sender.ts';
import { SipClient } from '../../src/sip-client.ts';
import { callBySipId, transcriptOf } from './support.ts';

const SILENT_MS = 4000;

let earshot: EarshotProcess;
let client: SipClient;
beforeAll(async () => {
  earshot = await EarshotProcess.start();
  client = await SipClient.open({ server: earshot.sip, transport: 'udp' });
}, 180_000);
afterAll(async () => {
  await client?.close();
  await earshot?.stop();
}, 60_000);

const poll = { timeout: 60_000, interval: 200 };
const to = (): string => `sip:recorder@${earshot.sip.host}:${earshot.sip.port}`;

test('a call that sends nothing has its messages without their secrets, and says why it is empty', async () => {
  const key = randomBytes(30).toString('base64');
  const sdp = [
    'v=0',
    `o=- 1 1 IN IP4 ${client.local.host}`,
    's=-',
    `c=IN IP4 ${client.local.host}`,
    't=0 0',
    'm=audio 31000 RTP/SAVP 0',
    `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${key}`,
    'a=sendonly',
    '',
  ].join('\r\n');
  const dialog = await client.invite({
    to: to(),
    from: `<sip:silent@${client.local.host}>`,
    callId: 'a-silent-call',
    headers: [['Authorization', 'Digest username="trunk", realm="r", response="0badc0de"']],
    contentType: 'application/sdp',
    body: sdp,
  });
  await new Promise((resolve) => setTimeout(resolve, SILENT_MS));
  await dialog.bye();
  await expect.poll(() => callBySipId(earshot, 'a-silent-call'), poll).toMatchObject({ complete: true });
  const call = (await callBySipId(earshot, 'a-silent-call'))!;

  const traceOf = (): Promise<TraceView> => earshot.get<TraceView>(`/v1/calls/${call.id}/trace`);
  await expect
    .poll(
      async () => (await traceOf()).items.map(({ direction, summary }) => `${direction} ${summary}`),
      poll,
    )
    .toEqual(['in INVITE', 'out 200 OK (INVITE)', 'in ACK', 'in BYE', 'out 200 OK (BYE)']);
  const { items } = await traceOf();
  expect(items[0]!.text).toContain('inline:***');
  expect(items[0]!.text).toContain('response=***');
  expect(items[1]!.text).toMatch(/m=audio \d+ RTP\/SAVP 0/);
  for (const { text } of items) expect(text).not.toMatch(/0badc0de|inline:[A-Za-z0-9+/]/);
  for (const [before, after] of items.slice(1).map((item, index) => [items[index]!, item] as const)) {
    expect(after.atMs).toBeGreaterThan(before.atMs);
  }
  expect(items[3]!.atMs).toBeGreaterThanOrEqual(SILENT_MS);
  const [invite] = items;
  expect(invite!.source).toBe(`${client.local.host}:${client.local.port}`);
  expect(invite!.destination).toBe(`${earshot.sip.host}:${earshot.sip.port}`);
  expect(await earshot.get<string>(`/v1/calls/${call.id}/trace.txt`)).toMatch(/\|-+ BYE -+>\|/);

  const diagnosis = await earshot.get<DiagnosisView>(`/v1/calls/${call.id}/diagnosis`);
  expect(diagnosis.empty).toBe(true);
  expect(diagnosis.findings.map(({ code, channel }) => [code, channel])).toEqual([['no-packets', 0]]);
  expect(diagnosis.findings[0]!.evidence.join()).toContain(`${client.local.host}:31000`);
  // The secrets are in no log either.
  expect(earshot.lines.join('\n')).not.toMatch(/0badc0de/);
  expect(earshot.lines.join('\n')).not.toContain(key);
}, 180_000);

test('who was taken for somebody else is corrected, and everything that was said follows', async () => {
  const pacer = new RtpPacer();
  const demo = new DemoCall({
    client,
    dialogue: loadDialogue('card-lost'),
    pacer,
    codec: 'pcmu',
    seconds: 12,
  });
  const running = demo.run();
  await expect
    .poll(async () => {
      const call = await callBySipId(earshot, demo.callId);
      return call === null ? 0 : (await transcriptOf(earshot, call.id)).segments.length;
    }, poll)
    .toBeGreaterThan(0);
  const { id, channels } = (await callBySipId(earshot, demo.callId))!;
  const wrong = channels.find(({ role }) => role === 'agent')!;
  const correct = (): Promise<CallView> =>
    earshot.post<CallView>(`/v1/calls/${id}/channels/${wrong.index}`, { role: 'other' });
  expect((await correct()).channels[wrong.index]).toMatchObject({ role: 'other', score: 1 });
  await correct();
  await running;
  pacer.stop();
  await expect.poll(() => callBySipId(earshot, demo.callId), poll).toMatchObject({ complete: true });
  const { segments } = await transcriptOf(earshot, id);
  const rolesOn = (index: number): string[] => [
    ...new Set(segments.filter(({ channel }) => channel === index).map(({ role }) => role)),
  ];
  expect(rolesOn(wrong.index)).toEqual(['other']);
  const after = await callBySipId(earshot, demo.callId);
  expect(after!.channels[wrong.index]!.evidence.at(-1)).toBe('corrected by the API key');
  const { items } = await earshot.get<{ items: EventView[] }>('/v1/events?after=0&limit=500');
  const revised = items.filter(({ type, callId }) => type === 'transcript.revised' && callId === id);
  expect(revised.map(({ data }) => [data['reason'], data['roles']])).toEqual([
    ['correction', [{ channel: wrong.index, before: 'agent', after: 'other' }]],
  ]);
  expect(await earshot.get<DiagnosisView>(`/v1/calls/${id}/diagnosis`)).toMatchObject({ empty: false });
}, 180_000);
