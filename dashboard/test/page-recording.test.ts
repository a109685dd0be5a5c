import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, until, usePage } from './page-under-test.ts';
import { silentWav } from './silent-wav.ts';

describe.skipIf(!hasChromium)(`a recording on the page (needs ${CHROMIUM})`, BROWSER, () => {
  const t = usePage();

  test('an ended call can be listened to from a word, and downloaded', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann', externalIds: { ucid: '00042' } });
    // Long, so that it plays still when a busy machine comes to look.
    await t.h.writer.final(call, { channel: 0, startMs: 4000, endMs: 34_000, text: 'Play it from here on' });
    await t.h.writer.ledger(call, 0, 0, [['received', 40_000]], { ended: true });
    await t.signIn();
    await t.openCall(call);
    await t.h.writer.endCall(call);
    await t.page.locator('.state.ended').waitFor();
    expect(await t.page.locator('audio').count()).toBe(0);
    const wav = silentWav(120);
    writeFileSync(join(t.h.dataDir, 'recordings', 'call.wav'), wav);
    await t.h.writer.recorded(call, {
      file: 'call.wav',
      bytes: wav.length,
      sha256: 'x',
      durationMs: 120_000,
    });
    await t.page.locator('audio').waitFor();
    await t.page.locator('.mark.complete', { hasText: 'Complete' }).waitFor();
    await t.page.locator('.word', { hasText: 'here' }).click();
    const at = await until('the audio to be there', () =>
      t.page.locator('audio').evaluate((audio: HTMLAudioElement) => audio.currentTime),
    );
    expect(at).toBeGreaterThanOrEqual(22);
    await t.page.locator('.segment.playing').waitFor();
    const paused = (): Promise<boolean> =>
      t.page.locator('audio').evaluate((audio: HTMLAudioElement) => audio.paused);
    await t.page.locator('button.at').focus();
    await t.page.keyboard.press('Space');
    expect(await paused()).toBe(true);
    await t.page.keyboard.press('Space');
    expect(await paused()).toBe(false);
    await t.page.keyboard.press('Space');
    expect(await paused()).toBe(true);
    const strip = t.page.locator('.ledger-strip').first();
    await strip.click({ position: { x: (await strip.boundingBox())!.width / 4, y: 3 } });
    expect(await paused()).toBe(false);
    await t.page.locator('.playhead').first().waitFor();
    const from = await t.page.locator('audio').evaluate((audio: HTMLAudioElement) => audio.currentTime);
    expect(from).toBeGreaterThanOrEqual(9.9);
    expect(from).toBeLessThan(22);
    const links = await t.page
      .locator('.downloads a')
      .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href));
    expect(links.map((link) => link.split('.').at(-1))).toEqual(['txt', 'vtt', 'srt', 'wav']);
    for (const link of links) expect((await t.page.request.get(link)).status(), link).toBe(200);
    const facts = await t.page.locator('.facts').innerText();
    expect(facts).toContain('00042');
    expect(facts).toContain('@sbc.example.test');
    expect(facts).toContain('PCMU');
    expect(facts).toContain('500 packets, 0 lost');
    await t.page.locator('.word', { hasText: 'Play' }).hover();
    await t.page.locator('.word-tip', { hasText: '0:04.0 – 0:09.4 · 90% sure' }).waitFor();
  });
});
