import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, until, usePage } from './page-under-test.ts';
import { silentWav } from './silent-wav.ts';
import type { RecordingFacts, RecordingFormat } from '@earshot/contracts';
import { OpusWriter } from '@earshot/platform/recording/opus-writer';

/** Two minutes of a tone in both formats, as post-call makes them. @returns what the call log keeps of them */
function writeRecording(folder: string, formats: readonly RecordingFormat[]): RecordingFacts {
  const writer = new OpusWriter({ channels: 2, serial: 1, comments: [] });
  const sound = Int16Array.from({ length: 2 * 120 * 8000 }, (_, i) => 3000 * Math.sin(i / 9));
  const bytes = { wav: silentWav(120), opus: Buffer.concat([...writer.write(sound), ...writer.finish()]) };
  writer.close();
  const files = formats.map((format) => {
    writeFileSync(join(folder, `call.${format}`), bytes[format]);
    return { format, file: `call.${format}`, bytes: bytes[format].length, sha256: 'x' };
  });
  return { ...files[0]!, durationMs: 120_000, formats: files };
}

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

  test.each([
    ['in Opus where there is Opus', ['wav', 'opus'], false, 'opus'],
    ['in Opus alone, with a WAV to download all the same', ['opus'], false, 'opus'],
    ['in WAV where the browser makes nothing of the Opus', ['wav', 'opus'], true, 'wav'],
  ] as const)('a recording is played %s, from where a word is', async (_name, formats, broken, played) => {
    const folder = join(t.h.dataDir, 'recordings');
    const recording = writeRecording(folder, formats);
    if (broken) writeFileSync(join(folder, 'call.opus'), 'nothing that anybody can play');
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.h.writer.final(call, {
      channel: 0,
      startMs: 64_000,
      endMs: 94_000,
      text: 'Play it from here on',
    });
    await t.h.writer.endCall(call, { recording });
    await t.signIn();
    await t.openCall(call);
    const audio = t.page.locator('audio');
    await until('the recording to be known', () =>
      audio.evaluate((element: HTMLAudioElement) => element.readyState > 0),
    );
    const { source, durationS } = await audio.evaluate((element: HTMLAudioElement) => ({
      source: element.currentSrc,
      durationS: element.duration,
    }));
    expect(source).toMatch(new RegExp(`recording\\.${played}$`));
    expect(durationS).toBeCloseTo(120, 1);
    await t.page.locator('.word', { hasText: 'here' }).click();
    await t.page.locator('.segment.playing').waitFor();
    const at = await audio.evaluate((element: HTMLAudioElement) => element.currentTime);
    expect(at).toBeGreaterThanOrEqual(82);
    expect(at).toBeLessThan(95);
    const links = await t.page
      .locator('.downloads a')
      .evaluateAll((all) => all.map((link) => (link as HTMLAnchorElement).href));
    expect(links.slice(-2).map((link) => link.split('/').at(-1))).toEqual([
      'recording.opus',
      'recording.wav',
    ]);
    for (const link of links) expect((await t.page.request.get(link)).status(), link).toBe(200);
  });
});
