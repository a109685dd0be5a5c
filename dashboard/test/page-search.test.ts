import type { CallId } from '@earshot/contracts';
import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, until, usePage } from './page-under-test.ts';

describe.skipIf(!hasChromium)(`searching on the page (needs ${CHROMIUM})`, BROWSER, () => {
  const t = usePage();

  test('ended calls are found by what was said in them', async () => {
    for (const [agent, text] of [
      ['Ann', 'The kettle is late'],
      ['Bob', 'A refund for the toaster'],
    ] as const) {
      const call = await t.h.writer.startCall({ agent });
      await t.h.writer.final(call, { channel: 0, startMs: 0, text });
      await t.h.writer.endCall(call);
    }
    await t.signIn();
    await t.page.locator('.ended-row').nth(1).waitFor();
    await t.page.getByRole('searchbox').fill('refund');
    await until('one to be left', async () => (await t.page.locator('.ended-row').count()) === 1);
    await t.page.locator('.ended-row', { hasText: 'Bob' }).waitFor();
    await t.page.getByRole('searchbox').fill('refund kettle');
    await t.page.getByText('No ended call has').waitFor();
  });

  test('a search is in the address, so that Back comes to it again', async () => {
    const calls: CallId[] = [];
    for (const agent of ['Ann', 'Bob']) calls.push(await t.h.writer.startCall({ agent }));
    await t.signIn();
    await t.page.locator('.live-row').nth(1).waitFor();
    await t.page.getByRole('searchbox').fill('bob');
    await until('one to be left', async () => (await t.page.locator('.live-row').count()) === 1);
    expect(new URL(t.page.url()).search).toBe('?q=bob');
    await t.page.locator('.live-row').click();
    await t.page.locator('.call-head').waitFor();
    await t.page.goBack();
    await t.page.locator('.live-row', { hasText: 'Bob' }).waitFor();
    expect(await t.page.locator('.live-row').count()).toBe(1);
    expect(await t.page.getByRole('searchbox').inputValue()).toBe('bob');
    await t.page.locator('.brand').click();
    await t.page.locator('.live-row').nth(1).waitFor();
    expect(await t.page.getByRole('searchbox').inputValue()).toBe('');
  });

  test('a live call is found by what was said earlier in it', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.h.writer.startCall({ agent: 'Bob' });
    await t.h.writer.final(call, { channel: 0, startMs: 0, text: 'About the toaster' });
    await t.h.writer.final(call, { channel: 0, startMs: 5000, text: 'And something newer' });
    await t.signIn();
    await t.page.locator('.live-row', { hasText: 'And something newer' }).waitFor();
    await t.page.getByRole('searchbox').fill('toaster');
    await until('one to be left', async () => (await t.page.locator('.live-row').count()) === 1);
    await t.page.locator('.live-row', { hasText: 'Ann' }).waitFor();
  });
});
