import type { CallId } from '@earshot/contracts';
import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, until, usePage } from './page-under-test.ts';

describe.skipIf(!hasChromium)(`live calls on the page (needs ${CHROMIUM})`, BROWSER, () => {
  const t = usePage();

  test('calls appear as they start, with the last words of each party, and go down when they end', async () => {
    await t.signIn();
    const call = await t.h.writer.startCall({ agent: 'Ann Archer', customer: 'Mo Okafor' });
    const row = t.page.locator('.live-row');
    await row.getByText('Ann Archer · Mo Okafor').waitFor();
    t.h.writer.partial(call, { channel: 0, startMs: 500, text: 'How may I help' });
    await row.locator('.last-words.left .partial', { hasText: 'How may I help' }).waitFor();
    await t.h.writer.final(call, { channel: 1, startMs: 2500, text: 'My kettle is late' });
    await row.locator('.last-words.right', { hasText: 'My kettle is late' }).waitFor();
    await t.h.writer.endCall(call);
    await t.page.locator('.ended-row', { hasText: 'Ann Archer · Mo Okafor' }).waitFor();
    await row.waitFor({ state: 'detached' });
  });

  test('a page that is opened in the middle shows what was said last', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.h.writer.final(call, { channel: 0, startMs: 0, text: 'Said before anyone looked' });
    await t.signIn();
    await t.page.locator('.live-row', { hasText: 'Said before anyone looked' }).waitFor();
  });

  test('a partial is grey and grows in its place, and the final takes its place', async () => {
    const call = await t.h.writer.startCall();
    await t.signIn();
    await t.openCall(call);
    t.h.writer.partial(call, { channel: 0, startMs: 1000, text: 'good' });
    const partial = t.page.locator('.segment.partial');
    await partial.waitFor();
    t.h.writer.partial(call, { channel: 0, startMs: 1000, text: 'good morning' });
    await t.page.locator('.segment.partial', { hasText: 'good morning' }).waitFor();
    expect(await partial.count()).toBe(1);
    const colour = (selector: string): Promise<string> =>
      t.page.locator(selector).evaluate((element) => getComputedStyle(element).color);
    const grey = await colour('.segment.partial');
    await t.h.writer.final(call, { channel: 0, startMs: 1000, text: 'Good morning' });
    await t.page.locator('.segment.final.left', { hasText: 'Good morning' }).waitFor();
    expect(await partial.count()).toBe(0);
    expect(await colour('.segment.final')).not.toBe(grey);
    await t.h.writer.final(call, { channel: 1, startMs: 1400, text: 'Hello' });
    await t.page.locator('.segment.final.right', { hasText: 'Hello' }).waitFor();
    // They overlap in time: one row has both.
    expect(await t.page.locator('.rows > .row').count()).toBe(1);
    await t.page.locator('[aria-live=polite]', { hasText: 'Customer: Hello' }).waitFor({ state: 'attached' });
  });

  test('a cut connection comes back by itself, and no segment is missing or there twice', async () => {
    const call = await t.h.writer.startCall();
    await t.signIn();
    await t.openCall(call);
    const ids: string[] = [];
    const say = async (): Promise<void> => {
      const startMs = ids.length * 2000;
      ids.push((await t.h.writer.final(call, { channel: 0, startMs, text: `Sentence ${ids.length}` })).id);
    };
    for (let round = 0; round < 3; round++) {
      await say();
      t.cutter.cut(true);
      await t.page.locator('.connection.reconnecting').waitFor();
      await say();
      await say();
      t.cutter.accept();
      await say();
      await t.page.locator('.connection.live').waitFor();
      await until('all sentences', async () => (await t.finals()).length >= ids.length);
      expect(await t.finals()).toEqual(ids);
    }
    await t.h.restart();
    await say();
    await until('the last sentence', async () => (await t.finals()).length >= ids.length);
    expect(await t.finals()).toEqual(ids);
  });

  test('what failed while the server was away is asked for again when it is back', async () => {
    const ended = await t.h.writer.startCall({ agent: 'Bob Baker' });
    await t.h.writer.final(ended, { channel: 0, startMs: 0, text: 'A refund for the toaster' });
    await t.h.writer.endCall(ended);
    await t.h.writer.startCall({ agent: 'Ann Archer' });
    await t.signIn();
    await t.page.locator('.ended-row').waitFor();
    t.cutter.cut(true);
    await t.page.locator('.connection.reconnecting').waitFor();
    await t.page.getByRole('searchbox').fill('toaster');
    await t.page.getByText('cannot be reached').waitFor();
    t.cutter.accept();
    await t.page.locator('.connection.live').waitFor();
    await t.page.locator('.ended-row', { hasText: 'Bob Baker' }).waitFor();
    await t.page.getByText('cannot be reached').waitFor({ state: 'detached' });
    await t.page.getByRole('searchbox').fill('');
    await t.page.locator('.live-row').waitFor();
    t.cutter.cut(true);
    await t.page.locator('.connection.reconnecting').waitFor();
    await t.page.locator('.live-row').click();
    await t.page.getByText('cannot be reached').waitFor();
    t.cutter.accept();
    await t.page.locator('.call-head', { hasText: 'Ann Archer' }).waitFor();
  });

  test('three hundred calls and a burst of partials: few rows are drawn, and they show the newest words', async () => {
    const calls: CallId[] = [];
    for (let n = 0; n < 300; n++) calls.push(await t.h.writer.startCall({ agent: `Agent x${n}x` }));
    await t.signIn();
    await t.page.locator('.badge', { hasText: '300' }).waitFor();
    expect(await t.page.locator('.top-fact').first().innerText()).toContain('300 live');
    for (let rev = 1; rev <= 6; rev++) {
      for (const call of calls) {
        for (const channel of [0, 1] as const) {
          t.h.writer.partial(call, { channel, startMs: 0, text: `burst number ${rev}` });
        }
      }
    }
    await t.page
      .locator('.live-row', { hasText: 'Agent x299x' })
      .getByText('burst number 6')
      .first()
      .waitFor();
    const drawn = await t.page.locator('.live-row').count();
    expect(drawn).toBeGreaterThan(5);
    expect(drawn).toBeLessThan(40);
    await t.page.locator('.live-list').evaluate((list) => list.scrollTo(0, list.scrollHeight));
    const last = t.page.locator('.live-row', { hasText: 'Agent x0x' });
    await last.getByText('burst number 6').first().waitFor();
    await t.page.getByRole('searchbox').fill('agent x150x');
    await t.page.locator('.badge', { hasText: /^1$/ }).waitFor();
  });
});
