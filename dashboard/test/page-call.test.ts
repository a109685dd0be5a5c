import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, until, usePage } from './page-under-test.ts';
import { silentWav } from './silent-wav.ts';

describe.skipIf(!hasChromium)(`a call on the page (needs ${CHROMIUM})`, BROWSER, () => {
  const t = usePage();

  test('text from outside is shown as text and never run', async () => {
    const evil = '<img/src=x/onerror=window.hacked=1> <script>window.hacked=1</script> {{7*7}} &lt;b&gt;';
    const call = await t.h.writer.startCall({
      agent: evil,
      customer: '"><svg onload=window.hacked=1>',
      externalIds: { '<b>name</b>': `javascript:${evil}` },
      sipCallId: `${evil}@x`,
    });
    await t.h.writer.final(call, { channel: 0, startMs: 0, text: evil });
    await t.signIn();
    await t.page.locator('.live-row', { hasText: '<script>' }).waitFor();
    t.h.writer.partial(call, { channel: 1, startMs: 3000, text: evil });
    await t.page.locator('.live-row .right', { hasText: '<script>' }).waitFor();
    await t.openCall(call);
    await t.page.locator('.segment.final', { hasText: evil }).waitFor();
    await t.h.writer.endCall(call);
    await t.page.locator('.state.ended').waitFor();
    const found = await t.page.evaluate(() => ({
      hacked: 'hacked' in window,
      elements: document.querySelectorAll('#app img, #app script, #app svg[onload], .facts dt b').length,
    }));
    expect(found).toEqual({ hacked: false, elements: 0 });
  });

  test('the newest words stay in view until the reader scrolls up, and come back on demand', async () => {
    const call = await t.h.writer.startCall();
    for (let n = 0; n < 60; n++) {
      await t.h.writer.final(call, {
        channel: (n % 2) as 0 | 1,
        startMs: n * 3000,
        text: `Sentence number ${n}`,
      });
    }
    await t.signIn();
    await t.openCall(call);
    const newest = (n: number) => t.page.locator('.segment', { hasText: `Sentence number ${n}` });
    const inView = (n: number): Promise<boolean> =>
      newest(n).evaluate((element) => {
        const box = element.getBoundingClientRect();
        const pane = element.closest('.pane')!.getBoundingClientRect();
        return box.bottom <= pane.bottom + 1 && box.top >= pane.top - 1;
      });
    await until('the end to be in view', () => inView(59));
    await t.h.writer.final(call, { channel: 0, startMs: 180_000, text: 'Sentence number 60' });
    await newest(60).waitFor();
    await until('the newest to be in view', () => inView(60));
    await t.page.locator('.pane').hover();
    // What scrolls long after the wheel was turned is not taken for the reader's doing: on a busy machine it is turned again.
    await until('the way back to be offered', async () => {
      await t.page.mouse.wheel(0, -300);
      return (await t.page.locator('.jump').count()) > 0;
    });
    await t.h.writer.final(call, { channel: 0, startMs: 183_000, text: 'Sentence number 61' });
    await newest(61).waitFor({ state: 'attached' });
    expect(await inView(61)).toBe(false);
    await t.page.locator('.jump').click();
    await until('the newest to be in view again', () => inView(61));
    await t.page.locator('.jump').waitFor({ state: 'detached' });
    await t.h.writer.endCall(call);
    await t.page.locator('.state.ended').waitFor();
    await t.h.writer.final(call, { channel: 1, startMs: 186_000, text: 'Sentence number 62' });
    await newest(62).waitFor({ state: 'attached' });
    const wav = silentWav(1);
    writeFileSync(join(t.h.dataDir, 'recordings', 'call.wav'), wav);
    await t.h.writer.recorded(call, { file: 'call.wav', bytes: wav.length, sha256: 'x', durationMs: 1000 });
    await t.page.locator('audio').waitFor();
    await until('the last words to be above the player', () => inView(62));
  });

  test('a stream that does not come is told at once, in the list and on the call, until it comes', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann', customer: 'Mo Okafor' });
    await t.signIn();
    const row = t.page.locator('.live-row');
    await row.getByText('Ann · Mo Okafor').waitFor();
    await t.h.writer.media(call, [1]);
    await row.locator('.last-words.right .alert-mark', { hasText: 'No audio' }).waitFor();
    await t.openCall(call);
    const head = t.page.locator('.call-head');
    await head.getByText('No audio from Mo Okafor').waitFor();
    await t.h.writer.media(call, []);
    await head.getByText('No audio from').waitFor({ state: 'detached' });
    await t.h.writer.media(call, [0, 1]);
    await head.getByText('No audio from Ann and Mo Okafor').waitFor();
    await t.h.writer.endCall(call);
    await head.getByText('No audio from').waitFor({ state: 'detached' });
  });

  test('a call that the disk does not keep says so at once, in the list and on the call, and once it has ended', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann', customer: 'Mo Okafor' });
    await t.signIn();
    const row = t.page.locator('.live-row');
    await row.getByText('Ann · Mo Okafor').waitFor();
    await t.h.writer.disk(call, { low: false, failing: [0], failed: true }, 'disk-full');
    await row.locator('.below .alert-mark', { hasText: 'Not recorded' }).waitFor();
    await t.openCall(call);
    const head = t.page.locator('.call-head');
    await head.getByText('Not recorded now: the disk is full').waitFor();
    await t.h.writer.disk(call, { low: false, failing: [], failed: true });
    await head.getByText('Recorded in part: the disk was full').waitFor();
    await t.h.writer.disk(call, { low: true, failing: [], failed: true }, 'disk-low');
    await head.getByText('Not recorded: the disk is nearly full').waitFor();
    await t.h.writer.endCall(call);
    await head.getByText('Not recorded: the disk was nearly full').waitFor();
  });

  test('what was not received is seen between the words and on a strip, while the call lives and after', async () => {
    const call = await t.h.writer.startCall({ startedAtMs: Date.now() - 20_000 });
    await t.h.writer.final(call, { channel: 0, startMs: 1000, text: 'Good morning' });
    await t.h.writer.final(call, { channel: 1, startMs: 9000, text: 'Are you there' });
    await t.signIn();
    await t.openCall(call);
    await t.page.locator('.segment.final').nth(1).waitFor();
    expect(await t.page.locator('.ledger').count()).toBe(0);
    await t.h.writer.ledger(call, 0, 0, [['received', 12_000]]);
    await t.h.writer.ledger(call, 1, 0, [
      ['absent', 1500],
      ['received', 3500],
      ['lost', 3000],
      ['received', 4000],
    ]);
    // The page asks again after some seconds.
    await t.page.locator('.gap-mark.right.lost', { hasText: 'Packets lost · 3 s' }).waitFor();
    const lines = await t.page
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
    const strips = t.page.locator('.ledger-strip');
    expect(await strips.count()).toBe(2);
    expect(await strips.nth(1).getAttribute('aria-label')).toBe(
      'Customer: 63 % received, 25 % lost, 13 % no packets',
    );
    await t.page.locator('.ledger-kind', { hasText: 'lost – / 25 %' }).waitFor();
    await t.h.writer.ledger(call, 0, 12_000, [['held', 8000]], { ended: true });
    await t.h.writer.ledger(call, 1, 12_000, [['held', 8000]], { ended: true });
    await t.h.writer.endCall(call);
    await t.page.locator('.state.ended').waitFor();
    await t.page.locator('.row.gap', { hasText: 'On hold' }).waitFor();
    expect(await t.page.locator('.gap-mark.held').count()).toBe(2);
    expect(await t.page.locator('.row.gap').count()).toBe(3);
    await t.page.locator('.ledger-end', { hasText: '0:20' }).waitFor();
  });

  test('doubtful words are marked without a pointer, and partials slanted', async () => {
    const call = await t.h.writer.startCall();
    await t.h.writer.final(call, {
      channel: 0,
      startMs: 0,
      text: 'sure maybe',
      confidence: (word) => (word === 'sure' ? 1 : 0.5),
    });
    await t.signIn();
    await t.openCall(call);
    const line = (text: string): Promise<string> =>
      t.page.locator('.word', { hasText: text }).evaluate((word) => {
        const { textDecorationLine, textDecorationStyle } = getComputedStyle(word);
        return `${textDecorationLine} ${textDecorationStyle}`;
      });
    await until('the mark', async () => (await line('maybe')) === 'underline dotted');
    expect(await line('sure')).toContain('none');
    await t.page.locator('.word', { hasText: 'sure' }).hover();
    await t.page.locator('.word-tip', { hasText: '99% sure' }).waitFor();
    t.h.writer.partial(call, { channel: 1, startMs: 2000, text: 'not yet' });
    const partial = t.page.locator('.segment.partial');
    await partial.waitFor();
    expect(await partial.evaluate((one) => getComputedStyle(one).fontStyle)).toBe('italic');
  });
});
