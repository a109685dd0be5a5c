import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallId } from '@earshot/contracts';
import type { Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { API_KEY, type Harness, startHarness, until } from '../../dashboard-api/test/harness.ts';
import { stopServers } from '../../host/test/postgres.ts';
import { type Browser, CHROMIUM, hasChromium, startBrowser } from './browser.ts';
import { type Cutter, startCutter } from './cutter.ts';

/** WAV, PCM, two channels at 8 kHz, silent. */
function silentWav(seconds: number): Buffer {
  const dataBytes = seconds * 8000 * 4;
  const wav = Buffer.alloc(44 + dataBytes);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + dataBytes, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(2, 22);
  wav.writeUInt32LE(8000, 24);
  wav.writeUInt32LE(32_000, 28);
  wav.writeUInt16LE(4, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(dataBytes, 40);
  return wav;
}

// A whole browser beside other suites on two cores: what is looked at may be a frame behind. Each test has a fresh page.
const BROWSER = { retry: 2 };

describe.skipIf(!hasChromium)(`the page in a browser (needs ${CHROMIUM})`, BROWSER, () => {
  let pageDir: string;
  let browser: Browser;
  let h: Harness;
  let cutter: Cutter;
  let page: Page;
  let complaints: string[];

  beforeAll(async () => {
    pageDir = await mkdtemp(join(tmpdir(), 'es-page-'));
    await build({
      root: join(import.meta.dirname, '..'),
      logLevel: 'error',
      build: { outDir: pageDir, emptyOutDir: true },
    });
    browser = await startBrowser();
  });
  afterAll(async () => {
    await browser.stop();
    await stopServers();
    await rm(pageDir, { recursive: true, force: true });
  });

  beforeEach(async () => {
    h = await startHarness({ signinToken: 'from-npm-start', pageDir, sipPort: 5070 });
    cutter = await startCutter(h.server.port);
    page = await browser.context.newPage();
    complaints = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) complaints.push(message.text());
    });
  });
  afterEach(async () => {
    await page.close();
    await browser.context.clearCookies();
    await cutter.stop();
    await h.stop();
    expect(complaints).toEqual([]);
  });

  const base = (): string => `http://127.0.0.1:${cutter.port}`;
  const signIn = async (): Promise<void> => {
    await page.goto(`${base()}/signin?token=from-npm-start`);
    await page.locator('.connection.live').waitFor();
  };
  const openCall = async (call: CallId): Promise<void> => {
    await page.goto(`${base()}/calls/${call}`);
    await page.locator('.call-head').waitFor();
    await page.locator('.connection.live').waitFor();
  };
  const finals = (): Promise<string[]> =>
    page
      .locator('.segment.final')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-segment') ?? ''));

  test('without a session the page says how to sign in, and a link signs in', async () => {
    await page.goto(`${base()}/`);
    await page.getByText('npm start').waitFor();
    await signIn();
    expect(new URL(page.url()).pathname).toBe('/');
    await page.getByText('npm run demo -- --calls 2 --to 127.0.0.1:5070', { exact: true }).waitFor();
    await page.getByText('sip:127.0.0.1:5070', { exact: true }).waitFor();
  });

  test('a link that another site shows signs in too', async () => {
    await page.route('http://elsewhere.test/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<a href="${base()}/signin?token=from-npm-start">Earshot</a>`,
      }),
    );
    await page.goto('http://elsewhere.test/');
    await page.getByText('Earshot').click();
    await page.locator('.connection.live').waitFor();
  });

  test('calls appear as they start, with the last words of each party, and go down when they end', async () => {
    await signIn();
    const call = await h.writer.startCall({ agent: 'Ann Archer', customer: 'Mo Okafor' });
    const row = page.locator('.live-row');
    await row.getByText('Ann Archer · Mo Okafor').waitFor();
    h.writer.partial(call, { channel: 0, startMs: 500, text: 'How may I help' });
    await row.locator('.last-words.left .partial', { hasText: 'How may I help' }).waitFor();
    await h.writer.final(call, { channel: 1, startMs: 2500, text: 'My kettle is late' });
    await row.locator('.last-words.right', { hasText: 'My kettle is late' }).waitFor();
    await h.writer.endCall(call);
    await page.locator('.ended-row', { hasText: 'Ann Archer · Mo Okafor' }).waitFor();
    expect(await row.count()).toBe(0);
  });

  test('a page that is opened in the middle shows what was said last', async () => {
    const call = await h.writer.startCall({ agent: 'Ann' });
    await h.writer.final(call, { channel: 0, startMs: 0, text: 'Said before anyone looked' });
    await signIn();
    await page.locator('.live-row', { hasText: 'Said before anyone looked' }).waitFor();
  });

  test('a partial is grey and grows in its place, and the final takes its place', async () => {
    const call = await h.writer.startCall();
    await signIn();
    await openCall(call);
    h.writer.partial(call, { channel: 0, startMs: 1000, text: 'good' });
    const partial = page.locator('.segment.partial');
    await partial.waitFor();
    h.writer.partial(call, { channel: 0, startMs: 1000, text: 'good morning' });
    await page.locator('.segment.partial', { hasText: 'good morning' }).waitFor();
    expect(await partial.count()).toBe(1);
    const colour = (selector: string): Promise<string> =>
      page.locator(selector).evaluate((element) => getComputedStyle(element).color);
    const grey = await colour('.segment.partial');
    await h.writer.final(call, { channel: 0, startMs: 1000, text: 'Good morning' });
    await page.locator('.segment.final.left', { hasText: 'Good morning' }).waitFor();
    expect(await partial.count()).toBe(0);
    expect(await colour('.segment.final')).not.toBe(grey);
    await h.writer.final(call, { channel: 1, startMs: 1400, text: 'Hello' });
    await page.locator('.segment.final.right', { hasText: 'Hello' }).waitFor();
    // They overlap in time: one row has both.
    expect(await page.locator('.rows > .row').count()).toBe(1);
    await page.locator('[aria-live=polite]', { hasText: 'Customer: Hello' }).waitFor({ state: 'attached' });
  });

  test('a cut connection comes back by itself, and no segment is missing or there twice', async () => {
    const call = await h.writer.startCall();
    await signIn();
    await openCall(call);
    const ids: string[] = [];
    const say = async (): Promise<void> => {
      const startMs = ids.length * 2000;
      ids.push((await h.writer.final(call, { channel: 0, startMs, text: `Sentence ${ids.length}` })).id);
    };
    for (let round = 0; round < 3; round++) {
      await say();
      cutter.cut(true);
      await page.locator('.connection.reconnecting').waitFor();
      await say();
      await say();
      cutter.accept();
      await say();
      await page.locator('.connection.live').waitFor();
      await until('all sentences', async () => (await finals()).length >= ids.length);
      expect(await finals()).toEqual(ids);
    }
    await h.restart();
    await say();
    await until('the last sentence', async () => (await finals()).length >= ids.length);
    expect(await finals()).toEqual(ids);
  });

  test('the form for the API key signs in, and goes to the page that was asked for', async () => {
    const call = await h.writer.startCall({ agent: 'Ann Archer' });
    await page.goto(`${base()}/calls/${call}`);
    await page.getByRole('textbox').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('not the API key').waitFor();
    await page.getByRole('textbox').fill(API_KEY);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.call-head', { hasText: 'Ann Archer' }).waitFor();
    expect(new URL(page.url()).pathname).toBe(`/calls/${call}`);
  });

  test('a form of another site can neither sign in nor sign out', async () => {
    await signIn();
    await page.route('http://elsewhere.test/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form method="post" action="${base()}/signin"><input name="key" value="${API_KEY}"><button>In</button></form>
          <form method="post" action="${base()}/signout"><button>Out</button></form>`,
      }),
    );
    for (const name of ['In', 'Out']) {
      await page.goto('http://elsewhere.test/');
      await page.getByRole('button', { name, exact: true }).click();
      await page.getByText('FORBIDDEN_ORIGIN').waitFor();
    }
    await page.goto(base());
    await page.locator('.connection.live').waitFor();
  });

  test('signing out takes every tab to the page where one signs in, and shows no words any more', async () => {
    const call = await h.writer.startCall();
    await h.writer.final(call, { channel: 0, startMs: 0, text: 'Nobody else may read this' });
    await signIn();
    const other = await browser.context.newPage();
    await other.goto(`${base()}/calls/${call}`);
    await other.getByText('Nobody else may read this').waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByText('npm start').waitFor();
    await other.getByText('npm start').waitFor();
    expect(await other.getByText('Nobody else').count()).toBe(0);
    expect((await browser.context.cookies()).map((cookie) => cookie.name)).not.toContain('earshot_session');
    await other.getByRole('textbox').fill(API_KEY);
    await other.getByRole('button', { name: 'Sign in' }).click();
    await other.getByText('Nobody else may read this').waitFor();
    await other.close();
  });

  test('a page whose session is over goes to where one signs in, on a cut and on any answer', async () => {
    const call = await h.writer.startCall({ agent: 'Ann' });
    await signIn();
    await browser.context.clearCookies();
    cutter.cut();
    await page.getByText('npm start').waitFor();
    await page.getByRole('textbox').fill(API_KEY);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.locator('.live-row').waitFor();
    await browser.context.clearCookies();
    await page.locator('.live-row').click();
    await page.getByText('npm start').waitFor();
    expect(new URL(page.url()).searchParams.get('to')).toBe(`/calls/${call}`);
  });

  test('what failed while the server was away is asked for again when it is back', async () => {
    const ended = await h.writer.startCall({ agent: 'Bob Baker' });
    await h.writer.final(ended, { channel: 0, startMs: 0, text: 'A refund for the toaster' });
    await h.writer.endCall(ended);
    await h.writer.startCall({ agent: 'Ann Archer' });
    await signIn();
    await page.locator('.ended-row').waitFor();
    cutter.cut(true);
    await page.locator('.connection.reconnecting').waitFor();
    await page.getByRole('searchbox').fill('toaster');
    await page.getByText('cannot be reached').waitFor();
    cutter.accept();
    await page.locator('.connection.live').waitFor();
    await page.locator('.ended-row', { hasText: 'Bob Baker' }).waitFor();
    expect(await page.getByText('cannot be reached').count()).toBe(0);
    await page.getByRole('searchbox').fill('');
    await page.locator('.live-row').waitFor();
    cutter.cut(true);
    await page.locator('.connection.reconnecting').waitFor();
    await page.locator('.live-row').click();
    await page.getByText('cannot be reached').waitFor();
    cutter.accept();
    await page.locator('.call-head', { hasText: 'Ann Archer' }).waitFor();
  });

  test('text from outside is shown as text and never run', async () => {
    const evil = '<img/src=x/onerror=window.hacked=1> <script>window.hacked=1</script> {{7*7}} &lt;b&gt;';
    const call = await h.writer.startCall({
      agent: evil,
      customer: '"><svg onload=window.hacked=1>',
      externalIds: { '<b>name</b>': `javascript:${evil}` },
      sipCallId: `${evil}@x`,
    });
    await h.writer.final(call, { channel: 0, startMs: 0, text: evil });
    await signIn();
    await page.locator('.live-row', { hasText: '<script>' }).waitFor();
    h.writer.partial(call, { channel: 1, startMs: 3000, text: evil });
    await page.locator('.live-row .right', { hasText: '<script>' }).waitFor();
    await openCall(call);
    await page.locator('.segment.final', { hasText: evil }).waitFor();
    await h.writer.endCall(call);
    await page.locator('.state.ended').waitFor();
    const found = await page.evaluate(() => ({
      hacked: 'hacked' in window,
      elements: document.querySelectorAll('#app img, #app script, #app svg[onload], .facts dt b').length,
    }));
    expect(found).toEqual({ hacked: false, elements: 0 });
  });

  test('the newest words stay in view until the reader scrolls up, and come back on demand', async () => {
    const call = await h.writer.startCall();
    for (let n = 0; n < 60; n++) {
      await h.writer.final(call, {
        channel: (n % 2) as 0 | 1,
        startMs: n * 3000,
        text: `Sentence number ${n}`,
      });
    }
    await signIn();
    await openCall(call);
    const newest = (n: number) => page.locator('.segment', { hasText: `Sentence number ${n}` });
    const inView = (n: number): Promise<boolean> =>
      newest(n).evaluate((element) => {
        const box = element.getBoundingClientRect();
        const pane = element.closest('.pane')!.getBoundingClientRect();
        return box.bottom <= pane.bottom + 1 && box.top >= pane.top - 1;
      });
    await until('the end to be in view', () => inView(59));
    await h.writer.final(call, { channel: 0, startMs: 180_000, text: 'Sentence number 60' });
    await newest(60).waitFor();
    await until('the newest to be in view', () => inView(60));
    await page.locator('.pane').hover();
    await page.mouse.wheel(0, -900);
    await page.locator('.jump').waitFor();
    await h.writer.final(call, { channel: 0, startMs: 183_000, text: 'Sentence number 61' });
    await newest(61).waitFor({ state: 'attached' });
    expect(await inView(61)).toBe(false);
    await page.locator('.jump').click();
    await until('the newest to be in view again', () => inView(61));
    await page.locator('.jump').waitFor({ state: 'detached' });
    await h.writer.endCall(call);
    await page.locator('.state.ended').waitFor();
    await h.writer.final(call, { channel: 1, startMs: 186_000, text: 'Sentence number 62' });
    await newest(62).waitFor({ state: 'attached' });
    const wav = silentWav(1);
    writeFileSync(join(h.dataDir, 'recordings', 'call.wav'), wav);
    await h.writer.recorded(call, { file: 'call.wav', bytes: wav.length, sha256: 'x', durationMs: 1000 });
    await page.locator('audio').waitFor();
    await until('the last words to be above the player', () => inView(62));
  });

  test('an ended call can be listened to from a word, and downloaded', async () => {
    const call = await h.writer.startCall({ agent: 'Ann', externalIds: { ucid: '00042' } });
    await h.writer.final(call, { channel: 0, startMs: 4000, endMs: 6000, text: 'Play it from here on' });
    await h.writer.ledger(call, 0, 0, [['received', 10_000]], { ended: true });
    await signIn();
    await openCall(call);
    await h.writer.endCall(call);
    await page.locator('.state.ended').waitFor();
    expect(await page.locator('audio').count()).toBe(0);
    const wav = silentWav(10);
    writeFileSync(join(h.dataDir, 'recordings', 'call.wav'), wav);
    await h.writer.recorded(call, { file: 'call.wav', bytes: wav.length, sha256: 'x', durationMs: 10_000 });
    await page.locator('audio').waitFor();
    await page.locator('.mark.complete', { hasText: 'Complete' }).waitFor();
    await page.locator('.word', { hasText: 'here' }).click();
    const at = await until('the audio to be there', () =>
      page.locator('audio').evaluate((audio: HTMLAudioElement) => audio.currentTime),
    );
    expect(at).toBeGreaterThanOrEqual(5.2);
    await page.locator('.segment.playing').waitFor();
    const paused = (): Promise<boolean> =>
      page.locator('audio').evaluate((audio: HTMLAudioElement) => audio.paused);
    await page.locator('button.at').focus();
    await page.keyboard.press('Space');
    expect(await paused()).toBe(true);
    await page.keyboard.press('Space');
    expect(await paused()).toBe(false);
    await page.keyboard.press('Space');
    expect(await paused()).toBe(true);
    const strip = page.locator('.ledger-strip').first();
    await strip.click({ position: { x: (await strip.boundingBox())!.width / 4, y: 3 } });
    expect(await paused()).toBe(false);
    await page.locator('.playhead').first().waitFor();
    const from = await page.locator('audio').evaluate((audio: HTMLAudioElement) => audio.currentTime);
    expect(from).toBeGreaterThanOrEqual(2.4);
    expect(from).toBeLessThan(5);
    const links = await page
      .locator('.downloads a')
      .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href));
    expect(links.map((link) => link.split('.').at(-1))).toEqual(['txt', 'vtt', 'srt', 'wav']);
    for (const link of links) expect((await page.request.get(link)).status(), link).toBe(200);
    const facts = await page.locator('.facts').innerText();
    expect(facts).toContain('00042');
    expect(facts).toContain('@sbc.example.test');
    expect(facts).toContain('PCMU');
    expect(facts).toContain('500 packets, 0 lost');
    await page.locator('.word', { hasText: 'Play' }).hover();
    await page.locator('.word-tip', { hasText: '0:04.0 – 0:04.3 · 90% sure' }).waitFor();
  });

  test('a stream that does not come is told at once, in the list and on the call, until it comes', async () => {
    const call = await h.writer.startCall({ agent: 'Ann', customer: 'Mo Okafor' });
    await signIn();
    const row = page.locator('.live-row');
    await row.getByText('Ann · Mo Okafor').waitFor();
    await h.writer.media(call, [1]);
    await row.locator('.last-words.right .no-media', { hasText: 'No audio' }).waitFor();
    await openCall(call);
    const head = page.locator('.call-head');
    await head.getByText('No audio from Mo Okafor').waitFor();
    await h.writer.media(call, []);
    await head.getByText('No audio from').waitFor({ state: 'detached' });
    await h.writer.media(call, [0, 1]);
    await head.getByText('No audio from Ann and Mo Okafor').waitFor();
    await h.writer.endCall(call);
    await head.getByText('No audio from').waitFor({ state: 'detached' });
  });

  test('what was not received is seen between the words and on a strip, while the call lives and after', async () => {
    const call = await h.writer.startCall({ startedAtMs: Date.now() - 20_000 });
    await h.writer.final(call, { channel: 0, startMs: 1000, text: 'Good morning' });
    await h.writer.final(call, { channel: 1, startMs: 9000, text: 'Are you there' });
    await signIn();
    await openCall(call);
    await page.locator('.segment.final').nth(1).waitFor();
    expect(await page.locator('.ledger').count()).toBe(0);
    await h.writer.ledger(call, 0, 0, [['received', 12_000]]);
    await h.writer.ledger(call, 1, 0, [
      ['absent', 1500],
      ['received', 3500],
      ['lost', 3000],
      ['received', 4000],
    ]);
    // The page asks again after some seconds.
    await page.locator('.gap-mark.right.lost', { hasText: 'Packets lost · 3 s' }).waitFor();
    const lines = await page
      .locator('.rows > li')
      .evaluateAll((all) =>
        all.map((one) => one.querySelector('.segment, .gap-mark')?.textContent?.trim() ?? ''),
      );
    expect(lines.map((line) => line.replace(/\s+/g, ' '))).toEqual([
      'Customer: No packets · 2 s',
      'Agent: Good morning',
      'Customer: Packets lost · 3 s',
      'Customer: Are you there',
    ]);
    const strips = page.locator('.ledger-strip');
    expect(await strips.count()).toBe(2);
    expect(await strips.nth(1).getAttribute('aria-label')).toBe(
      'Customer: 63 % received, 25 % lost, 13 % no packets',
    );
    await page.locator('.ledger-kind', { hasText: 'lost – / 25 %' }).waitFor();
    await h.writer.ledger(call, 0, 12_000, [['held', 8000]], { ended: true });
    await h.writer.ledger(call, 1, 12_000, [['held', 8000]], { ended: true });
    await h.writer.endCall(call);
    await page.locator('.state.ended').waitFor();
    await page.locator('.row.gap', { hasText: 'On hold' }).waitFor();
    expect(await page.locator('.gap-mark.held').count()).toBe(2);
    expect(await page.locator('.row.gap').count()).toBe(3);
    await page.locator('.ledger-end', { hasText: '0:20' }).waitFor();
  });

  test('ended calls are found by what was said in them', async () => {
    for (const [agent, text] of [
      ['Ann', 'The kettle is late'],
      ['Bob', 'A refund for the toaster'],
    ] as const) {
      const call = await h.writer.startCall({ agent });
      await h.writer.final(call, { channel: 0, startMs: 0, text });
      await h.writer.endCall(call);
    }
    await signIn();
    await page.locator('.ended-row').nth(1).waitFor();
    await page.getByRole('searchbox').fill('refund');
    await until('one to be left', async () => (await page.locator('.ended-row').count()) === 1);
    await page.locator('.ended-row', { hasText: 'Bob' }).waitFor();
    await page.getByRole('searchbox').fill('refund kettle');
    await page.getByText('No ended call has').waitFor();
  });

  test('a search is in the address, so that Back comes to it again', async () => {
    const calls: CallId[] = [];
    for (const agent of ['Ann', 'Bob']) calls.push(await h.writer.startCall({ agent }));
    await signIn();
    await page.locator('.live-row').nth(1).waitFor();
    await page.getByRole('searchbox').fill('bob');
    await until('one to be left', async () => (await page.locator('.live-row').count()) === 1);
    expect(new URL(page.url()).search).toBe('?q=bob');
    await page.locator('.live-row').click();
    await page.locator('.call-head').waitFor();
    await page.goBack();
    await page.locator('.live-row', { hasText: 'Bob' }).waitFor();
    expect(await page.locator('.live-row').count()).toBe(1);
    expect(await page.getByRole('searchbox').inputValue()).toBe('bob');
    await page.locator('.brand').click();
    await page.locator('.live-row').nth(1).waitFor();
    expect(await page.getByRole('searchbox').inputValue()).toBe('');
  });

  test('a live call is found by what was said earlier in it', async () => {
    const call = await h.writer.startCall({ agent: 'Ann' });
    await h.writer.startCall({ agent: 'Bob' });
    await h.writer.final(call, { channel: 0, startMs: 0, text: 'About the toaster' });
    await h.writer.final(call, { channel: 0, startMs: 5000, text: 'And something newer' });
    await signIn();
    await page.locator('.live-row', { hasText: 'And something newer' }).waitFor();
    await page.getByRole('searchbox').fill('toaster');
    await until('one to be left', async () => (await page.locator('.live-row').count()) === 1);
    await page.locator('.live-row', { hasText: 'Ann' }).waitFor();
  });

  test('doubtful words are marked without a pointer, and partials slanted', async () => {
    const call = await h.writer.startCall();
    await h.writer.final(call, {
      channel: 0,
      startMs: 0,
      text: 'sure maybe',
      confidence: (word) => (word === 'sure' ? 1 : 0.5),
    });
    await signIn();
    await openCall(call);
    const line = (text: string): Promise<string> =>
      page.locator('.word', { hasText: text }).evaluate((word) => {
        const { textDecorationLine, textDecorationStyle } = getComputedStyle(word);
        return `${textDecorationLine} ${textDecorationStyle}`;
      });
    await until('the mark', async () => (await line('maybe')) === 'underline dotted');
    expect(await line('sure')).toContain('none');
    await page.locator('.word', { hasText: 'sure' }).hover();
    await page.locator('.word-tip', { hasText: '99% sure' }).waitFor();
    h.writer.partial(call, { channel: 1, startMs: 2000, text: 'not yet' });
    const partial = page.locator('.segment.partial');
    await partial.waitFor();
    expect(await partial.evaluate((one) => getComputedStyle(one).fontStyle)).toBe('italic');
  });

  test('three hundred calls and a burst of partials: few rows are drawn, and they show the newest words', async () => {
    const calls: CallId[] = [];
    for (let n = 0; n < 300; n++) calls.push(await h.writer.startCall({ agent: `Agent x${n}x` }));
    await signIn();
    await page.locator('.badge', { hasText: '300' }).waitFor();
    expect(await page.locator('.top-fact').first().innerText()).toContain('300 live');
    for (let rev = 1; rev <= 6; rev++) {
      for (const call of calls) {
        for (const channel of [0, 1] as const) {
          h.writer.partial(call, { channel, startMs: 0, text: `burst number ${rev}` });
        }
      }
    }
    await page.locator('.live-row', { hasText: 'Agent x299x' }).getByText('burst number 6').first().waitFor();
    const drawn = await page.locator('.live-row').count();
    expect(drawn).toBeGreaterThan(5);
    expect(drawn).toBeLessThan(40);
    await page.locator('.live-list').evaluate((list) => list.scrollTo(0, list.scrollHeight));
    const last = page.locator('.live-row', { hasText: 'Agent x0x' });
    await last.getByText('burst number 6').first().waitFor();
    await page.getByRole('searchbox').fill('agent x150x');
    await page.locator('.badge', { hasText: /^1$/ }).waitFor();
  }, 60_000);

  test('the keyboard alone reaches a call and comes back', async () => {
    const call = await h.writer.startCall({ agent: 'Ann' });
    await signIn();
    await page.locator('.live-row').waitFor();
    const focused = (): Promise<string> => page.evaluate(() => document.activeElement?.className ?? '');
    const tabTo = async (name: string): Promise<void> => {
      for (let presses = 0; presses < 15; presses++) {
        await page.keyboard.press('Tab');
        if ((await focused()).includes(name)) return;
      }
      throw new Error(`Tab never came to ${name}`);
    };
    await tabTo('live-row');
    await page.keyboard.press('Enter');
    await page.locator('.call-head').waitFor();
    expect(page.url()).toContain(call);
    await until('the heading to have the focus', () =>
      page.evaluate(() => document.activeElement?.tagName === 'H1'),
    );
    await tabTo('pane');
    await page.goBack();
    await page.locator('.live-row').waitFor();
  });

  test.each([
    ['light', 400],
    ['dark', 400],
    ['light', 1280],
  ] as const)('nothing hangs over the edge in %s at %d px', async (colorScheme, width) => {
    await page.setViewportSize({ width, height: 800 });
    await page.emulateMedia({ colorScheme });
    const call = await h.writer.startCall({
      agent: 'A name that is far too long for any screen of this width, however it is cut',
      externalIds: { 'session-id': 'f'.repeat(64) },
    });
    await h.writer.final(call, { channel: 0, startMs: 0, text: `Onelongword${'x'.repeat(80)} and others` });
    await h.writer.final(call, { channel: 1, startMs: 500, text: 'Short' });
    await signIn();
    await page.locator('.live-row').waitFor();
    const overhang = (): Promise<number> =>
      page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(await overhang()).toBe(0);
    expect((await page.screenshot()).length).toBeGreaterThan(5000);
    await openCall(call);
    await page.locator('.segment.final').nth(1).waitFor();
    expect(await overhang()).toBe(0);
    // No box while the row is being drawn anew.
    const box = () => page.locator('.segment.final').first().boundingBox();
    await expect.poll(box).not.toBeNull();
    const rightEdge = async () => {
      const words = await box();
      return words === null ? Infinity : words.x + words.width;
    };
    await expect.poll(rightEdge).toBeLessThanOrEqual(width);
    const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(background === 'rgb(13, 18, 23)').toBe(colorScheme === 'dark');
  });
});
