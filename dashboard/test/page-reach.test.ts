import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, until, usePage } from './page-under-test.ts';

describe.skipIf(!hasChromium)(`reaching everything on the page (needs ${CHROMIUM})`, BROWSER, () => {
  const t = usePage();

  test('the keyboard alone reaches a call and comes back', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.signIn();
    await t.page.locator('.live-row').waitFor();
    const focused = (): Promise<string> => t.page.evaluate(() => document.activeElement?.className ?? '');
    const tabTo = async (name: string): Promise<void> => {
      for (let presses = 0; presses < 15; presses++) {
        await t.page.keyboard.press('Tab');
        if ((await focused()).includes(name)) return;
      }
      throw new Error(`Tab never came to ${name}`);
    };
    await tabTo('live-row');
    await t.page.keyboard.press('Enter');
    await t.page.locator('.call-head').waitFor();
    expect(t.page.url()).toContain(call);
    await until('the heading to have the focus', () =>
      t.page.evaluate(() => document.activeElement?.tagName === 'H1'),
    );
    await tabTo('pane');
    await t.page.goBack();
    await t.page.locator('.live-row').waitFor();
  });

  test.each([
    ['light', 400],
    ['dark', 400],
    ['light', 1280],
  ] as const)('nothing hangs over the edge in %s at %d px', async (colorScheme, width) => {
    await t.page.setViewportSize({ width, height: 800 });
    await t.page.emulateMedia({ colorScheme });
    const call = await t.h.writer.startCall({
      agent: 'A name that is far too long for any screen of this width, however it is cut',
      externalIds: { 'session-id': 'f'.repeat(64) },
    });
    await t.h.writer.final(call, { channel: 0, startMs: 0, text: `Onelongword${'x'.repeat(80)} and others` });
    await t.h.writer.final(call, { channel: 1, startMs: 500, text: 'Short' });
    await t.signIn();
    await t.page.locator('.live-row').waitFor();
    const overhang = (): Promise<number> =>
      t.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(await overhang()).toBe(0);
    expect((await t.page.screenshot()).length).toBeGreaterThan(5000);
    await t.openCall(call);
    await t.page.locator('.segment.final').nth(1).waitFor();
    expect(await overhang()).toBe(0);
    // No box while the row is being drawn anew.
    const box = () => t.page.locator('.segment.final').first().boundingBox();
    await expect.poll(box).not.toBeNull();
    const rightEdge = async () => {
      const words = await box();
      return words === null ? Infinity : words.x + words.width;
    };
    await expect.poll(rightEdge).toBeLessThanOrEqual(width);
    const background = await t.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(background === 'rgb(13, 18, 23)').toBe(colorScheme === 'dark');
  });
});
