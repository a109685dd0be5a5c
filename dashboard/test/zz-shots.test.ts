import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CallId } from '@earshot/contracts';
import { afterAll, test } from 'vitest';
import { stopServers } from '../../host/test/postgres.ts';
import { startHarness, until } from '../../dashboard-api/test/harness.ts';
import { startBrowser } from './browser.ts';

afterAll(() => stopServers());
const dist = join(import.meta.dirname, '../dist');
const A = [
  'Thank you for calling Northwind support, this is Ann, how can I help you today',
  'Sure, let me pull up your account, could you confirm the postcode please',
  'I see the order from last Tuesday, it left our warehouse yesterday evening',
  'No problem at all, I have put a note on it',
  'The refund takes three to five working days',
];
const C = [
  'Hi, I ordered a kettle last week and it still has not arrived',
  'Yes it is 4 5 1 7 B',
  'Okay, so when will it be here do you think',
  'Right, could you leave it with the neighbour at number 12',
  'That is brilliant, thank you very much',
];
const names = [
  ['Ann Archer', 'M. Okafor'],
  ['Luis Ortega', 'Priya Raman'],
  ['Joanna Weiss', '+44 20 7946 0018'],
  ['Sam Lee', 'D. Kowalski'],
  ['Mei Tanaka', 'R. Haddad'],
];
test('shots', async () => {
  const h = await startHarness({ signinToken: 'tok', pageDir: dist });
  const wav = Buffer.alloc(44 + 8000 * 4 * 40);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(wav.length - 8, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(2, 22);
  wav.writeUInt32LE(8000, 24);
  wav.writeUInt32LE(32000, 28);
  wav.writeUInt16LE(4, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(wav.length - 44, 40);
  writeFileSync(join(h.dataDir, 'recordings', 'x.wav'), wav);
  const now = Date.now();
  const talk = async (id: Awaited<ReturnType<typeof h.writer.startCall>>, turns: number, from = 1000) => {
    let t = from;
    for (let i = 0; i < turns; i++) {
      await h.writer.final(id, {
        channel: 0,
        startMs: t,
        endMs: t + 4200,
        text: A[i % 5]!,
        confidence: (_w, n) => [0.97, 0.93, 0.7, 0.99, 0.5, 0.9, 0.4][n % 7]!,
      });
      t += 3900;
      await h.writer.final(id, { channel: 1, startMs: t, endMs: t + 3100, text: C[i % 5]! });
      t += 3500 + (i === 2 ? 14000 : 0);
    }
    return t;
  };
  for (let i = 0; i < 7; i++) {
    const id = await h.writer.startCall({
      startedAtMs: now - (i + 2) * 900_000,
      agent: names[i % 5]![0]!,
      customer: names[i % 5]![1]!,
      externalIds: { ucid: `0000112${i}` },
    });
    await talk(id, 3);
    await h.writer.endCall(id, {
      endedAtMs: now - (i + 2) * 900_000 + 200_000 + i * 37_000,
      complete: i !== 0,
      recording: { file: 'x.wav', bytes: wav.length, sha256: 'x', durationMs: 40_000 },
    });
  }
  const live: CallId[] = [];
  for (let i = 0; i < 24; i++) {
    live.push(
      await h.writer.startCall({
        startedAtMs: now - i * 47_000 - 60_000,
        agent: names[i % 5]![0]!,
        customer: names[(i + (i > 4 ? 2 : 0)) % 5]![1]!,
        externalIds: { ucid: `00001${1000 + i}` },
      }),
    );
  }
  const end = await talk(live[0]!, 5);
  for (const id of live.slice(1)) await talk(id, 1);
  const b = await startBrowser();
  const page = await b.context.newPage();
  page.on('console', (m) => console.log('console', m.type(), m.text()));
  page.on('pageerror', (e) => console.log('pageerror', e.message));
  await page.goto(`${h.url}/signin?token=tok`);
  await page.waitForSelector('.live-row');
  let n = 0;
  const timer = setInterval(() => {
    n++;
    for (const [i, id] of live.entries()) {
      const phase = n + i * 7;
      const turn = Math.floor(phase / 14);
      const ch = ((turn + i) % 2) as 0 | 1;
      const text = (ch === 0 ? A : C)[(i + Math.floor(turn / 2)) % 5]!;
      const words = text.split(' ');
      const k = 1 + (phase % 14);
      const startMs = (i === 0 ? end : 20_000) + turn * 4000;
      if (k > Math.min(13, words.length)) {
        if (k === Math.min(13, words.length) + 1)
          void h.writer.final(id, { channel: ch, startMs, endMs: startMs + 3800, text });
        continue;
      }
      h.writer.partial(id, {
        channel: ch,
        startMs,
        endMs: startMs + k * 280,
        text: words.slice(0, k).join(' '),
      });
    }
  }, 280);
  await new Promise((r) => setTimeout(r, 20_000));
  await page.screenshot({ path: '/tmp/es-shots/list.png' });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.screenshot({ path: '/tmp/es-shots/list-dark.png' });
  await page.setViewportSize({ width: 400, height: 800 });
  await page.screenshot({ path: '/tmp/es-shots/list-400.png' });
  await page.click(`a[href="/calls/${live[0]}"]`);
  await page.waitForSelector('.segment.partial');
  await page.screenshot({ path: '/tmp/es-shots/call-400.png' });
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: 'light' });
  await new Promise((r) => setTimeout(r, 600));
  await page.hover('.segment.final .word >> nth=-4');
  await page.screenshot({ path: '/tmp/es-shots/call.png' });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.screenshot({ path: '/tmp/es-shots/call-dark.png' });
  await page.emulateMedia({ colorScheme: 'light' });
  clearInterval(timer);
  await page.click('.back');
  await page.click('.ended-row >> nth=2');
  await page.waitForSelector('.player');
  await page.click('.word >> nth=20');
  await new Promise((r) => setTimeout(r, 900));
  await page.screenshot({ path: '/tmp/es-shots/ended.png' });
  await page.setViewportSize({ width: 400, height: 800 });
  await page.screenshot({ path: '/tmp/es-shots/ended-400.png' });
  await page.goto(`${h.url}/signin?token=nope`);
  await b.context.clearCookies();
  await page.goto(`${h.url}/`);
  await page.screenshot({ path: '/tmp/es-shots/signin-400.png' });
  await until('x', () => true);
  await b.stop();
  await h.stop();
}, 120_000);
