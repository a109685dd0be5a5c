import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, usePage } from './page-under-test.ts';

describe.skipIf(!hasChromium)(
  `a call that was recorded first on the page (needs ${CHROMIUM})`,
  BROWSER,
  () => {
    const t = usePage();
    const mark = (inside: string) => t.page.locator(`${inside} .paused-mark`);

    test('says in list and head that its words follow, then that they catch up, then nothing', async () => {
      const call = await t.h.writer.startCall({ agent: 'Ann', customer: 'Mo Okafor' });
      await t.h.writer.recognition(call, 'waiting');
      await t.signIn();
      await mark('.live-row').filter({ hasText: 'Recorded, words follow' }).waitFor();
      await t.openCall(call);
      await t.page.getByRole('status').getByText('Recorded, words follow').waitFor();
      await t.page.getByText('Recorded: the words follow when recognition has room.').waitFor();
      await t.h.writer.recognition(call, 'catching-up');
      await t.page.getByRole('status').getByText('Words are catching up').waitFor();
      await t.page.getByText('Nobody has spoken yet.').waitFor();
      await t.h.writer.recognition(call, 'current');
      await mark('.call-head').waitFor({ state: 'detached' });
      await t.h.writer.recognition(call, 'waiting');
      await t.h.writer.endCall(call);
      await t.page.locator('.state.ended').waitFor();
      expect(await mark('.call-head').innerText()).toBe('Recorded, words follow');
      await t.page.locator('.back').click();
      await t.page.locator('.ended-row .words', { hasText: 'follow' }).waitFor();
    });
  },
);
