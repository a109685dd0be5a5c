import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, until, usePage } from './page-under-test.ts';

describe.skipIf(!hasChromium)(`pausing a call on the page (needs ${CHROMIUM})`, BROWSER, () => {
  const t = usePage();
  const button = (name: string) => t.page.getByRole('button', { name, exact: true });

  test('a live call is paused and taken up with one button, and both are seen in list, head and lanes', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann', customer: 'Mo Okafor' });
    await t.h.writer.final(call, { channel: 0, startMs: 1000, text: 'Your card number please' });
    await t.signIn();
    await t.openCall(call);
    await button('Pause recording').click();
    await t.page.getByRole('status').getByText('Paused: nothing is recorded').waitFor();
    await button('Resume recording').waitFor();
    expect(await t.page.locator('.lane-heads .lane-paused').count()).toBe(2);
    await t.page.locator('.rows .paused-now').waitFor();
    expect(t.h.transcripts.commands.at(-1)).toMatchObject({ type: 'call.pause', callId: call, paused: true });
    // Whoever opens the page anew, or another one, sees it and can end it.
    await t.page.reload();
    await button('Resume recording').waitFor();
    await t.page.locator('.back').click();
    await t.page.locator('.live-row .paused-mark', { hasText: 'Paused' }).waitFor();
    await t.page.locator('.live-row').click();
    await button('Resume recording').click();
    await button('Pause recording').waitFor();
    await t.page.locator('.paused-now').waitFor({ state: 'detached' });
    expect(await t.page.locator('.paused-mark, .lane-paused').count()).toBe(0);
    expect(t.h.transcripts.commands.at(-1)).toMatchObject({ type: 'call.pause', paused: false });
  });

  test('what somebody else pauses is seen at once, and an ended call has no button', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.signIn();
    await t.page.locator('.live-row').waitFor();
    await t.h.writer.pause(call, true);
    await t.page.locator('.live-row .paused-mark').waitFor();
    await t.openCall(call);
    await t.page.locator('.call-head .paused-mark').waitFor();
    await t.h.writer.pause(call, false);
    await t.page.locator('.call-head .paused-mark').waitFor({ state: 'detached' });
    await t.h.writer.pause(call, true);
    await t.page.locator('.call-head .paused-mark').waitFor();
    await t.h.writer.endCall(call);
    await t.page.locator('.state.ended').waitFor();
    expect(await t.page.locator('.pause, .paused-mark, .paused-now').count()).toBe(0);
  });

  test('a pause that fails says so and why, and claims nothing; the button works without the live connection', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.signIn();
    await t.openCall(call);
    t.h.transcripts.refuse = (message) =>
      message.type === 'call.pause' ? { code: 'NOT_READY', message: 'the gateway does not answer' } : null;
    await button('Pause recording').click();
    await t.page.getByRole('alert').getByText('Not paused: the gateway does not answer').waitFor();
    await button('Pause recording').waitFor();
    expect(await t.page.locator('.paused-mark').count()).toBe(0);
    t.h.transcripts.refuse = () => null;
    await button('Pause recording').click();
    await t.page.locator('.call-head .paused-mark').waitFor();
    await until('the fault to go', async () => (await t.page.getByRole('alert').count()) === 0);
    t.cutter.cut(true);
    await t.page.locator('.connection.reconnecting').waitFor();
    await button('Resume recording').click();
    await t.page.getByRole('alert').getByText('Still paused: The server cannot be reached.').waitFor();
    t.cutter.accept();
    await t.page.locator('.connection.live').waitFor();
    await button('Resume recording').click();
    await button('Pause recording').waitFor();
  });
});
