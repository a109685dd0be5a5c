import { describe, expect, test } from 'vitest';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, until, usePage } from './page-under-test.ts';

const INVITE = [
  'INVITE sip:srs@192.0.2.1 SIP/2.0',
  'CSeq: 1 INVITE',
  'Subject: <script>alert(1)</script>',
  '',
  'v=0',
  'm=audio 30000 RTP/AVP 0',
  '',
].join('\r\n');
const response = (status: string): string => `SIP/2.0 ${status}\r\nCSeq: 1 INVITE\r\n\r\n`;
const request = (method: string): string =>
  `${method} sip:srs@192.0.2.1 SIP/2.0\r\nCSeq: 2 ${method}\r\n\r\n`;

describe.skipIf(!hasChromium)(`what explains a call on the page (needs ${CHROMIUM})`, BROWSER, () => {
  const t = usePage();
  const button = (name: string | RegExp) => t.page.getByRole('button', { name });
  /** Nothing is wider than the page. */
  const fits = () => t.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);

  test('the SIP messages are a ladder, of which each is opened by mouse or keyboard, and new ones come by themselves', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.h.writer.trace(call, [
      ['in', 0, INVITE],
      ['out', 4, response('200 OK')],
      ['in', 6, request('ACK')],
      ['in', 900, request('UPDATE')],
      ['out', 905, response('488 Not Acceptable Here')],
    ]);
    await t.h.pool.query('update sip_messages set omitted = 12 where call_id = $1 and at_us = 900000', [
      call,
    ]);
    await t.signIn();
    await t.openCall(call);
    await button('Signalling').click();
    const rungs = t.page.locator('.rung');
    await until('the ladder', async () => (await rungs.count()) === 5);
    expect(await rungs.locator('text').allTextContents()).toEqual([
      'INVITE',
      '200 OK (INVITE)',
      'ACK',
      'UPDATE',
      '488 Not Acceptable Here (INVITE)',
    ]);
    expect(await t.page.locator('.ladder .omitted').textContent()).toBe('12 messages not kept');
    await button(/^INVITE, from the caller, at 0.000/).focus();
    await t.page.keyboard.press('Enter');
    await t.page.locator('.message').getByText('<script>alert(1)</script>').waitFor();
    await t.page.keyboard.press('Tab');
    await t.page.keyboard.press('Tab');
    await t.page.keyboard.press(' ');
    await t.page.locator('.message', { hasText: '200 OK' }).waitFor();
    expect(await t.page.locator('.message').count()).toBe(1);
    await t.h.writer.trace(call, [['in', 5000, request('BYE')]]);
    await button(/^BYE, from the caller/).waitFor();
    const text = await t.page.getByRole('link', { name: 'Download as text' }).getAttribute('href');
    expect(text).toBe(`/v1/calls/${call}/trace.txt`);
    for (const width of [1280, 400]) {
      await t.page.setViewportSize({ width, height: 800 });
      await until('the page fits', fits);
    }
    await t.page.setViewportSize({ width: 1280, height: 800 });
    await button('Transcript').click();
    await t.page.locator('.transcript').waitFor();
  });

  test('a call without words says why, and one with words does not', async () => {
    const silent = await t.h.writer.startCall({
      agent: 'Ann',
      customer: 'Mo',
      startedAtMs: Date.now() - 60_000,
    });
    await t.h.writer.ledger(silent, 0, 0, [['absent', 30_000]], { ended: true });
    await t.h.writer.ledger(silent, 1, 0, [['received', 30_000]], { ended: true });
    await t.h.writer.endCall(silent);
    const spoken = await t.h.writer.startCall({ startedAtMs: Date.now() - 60_000 });
    await t.h.writer.final(spoken, { channel: 0, startMs: 1000, text: 'Good morning' });
    await t.h.writer.endCall(spoken);
    await t.signIn();
    await t.openCall(silent);
    const why = t.page.getByRole('region', { name: 'Why there are no words' });
    await why.getByText('Ann: No RTP packet came.').waitFor();
    await why.getByText('Mo: Audio came, and there were no words in it.').waitFor();
    await why.getByText('500 packets received').waitFor();
    await t.page.setViewportSize({ width: 400, height: 800 });
    await until('the page fits', fits);
    await t.page.setViewportSize({ width: 1280, height: 800 });
    await t.openCall(spoken);
    await t.page.locator('.segment.final').waitFor();
    expect(await t.page.locator('.diagnosis').count()).toBe(0);
  });

  test('who speaks is corrected where the name stands, and the words change sides', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.h.writer.final(call, { channel: 0, startMs: 1000, text: 'My card is broken' });
    await t.signIn();
    await t.openCall(call);
    await t.page.locator('.segment.final.left').waitFor();
    await button('Correct who Ann is').click();
    await t.page.getByLabel('Role').selectOption('customer');
    await t.page.getByLabel('Name').fill('Mo Okafor');
    t.h.transcripts.refuse = ({ type }) =>
      type === 'channel.correct' ? { code: 'NOT_READY', message: 'transcripts does not answer' } : null;
    await t.page.keyboard.press('Enter');
    await t.page.getByRole('alert').getByText('Not corrected: transcripts does not answer').waitFor();
    t.h.transcripts.refuse = () => null;
    await button('Save').click();
    await t.page.locator('.segment.final.right').waitFor();
    await button('Correct who Mo Okafor is').waitFor();
    expect(await t.page.getByRole('alert').count()).toBe(0);
    expect(t.h.transcripts.commands.at(-1)).toMatchObject({
      type: 'channel.correct',
      callId: call,
      index: 0,
      role: 'customer',
      participant: { name: 'Mo Okafor' },
      by: 'a user of the page',
    });
    // Escape leaves it as it is, and the focus where it was.
    await button('Correct who Mo Okafor is').click();
    await t.page.keyboard.press('Escape');
    await t.page.getByLabel('Role').waitFor({ state: 'detached' });
    await until('the focus', () =>
      t.page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') === 'Correct who Mo Okafor is',
      ),
    );
  });
});
