import { describe, expect, test } from 'vitest';
import { API_KEY } from '../../dashboard-api/test/harness.ts';
import { CHROMIUM, hasChromium } from './browser.ts';
import { BROWSER, usePage } from './page-under-test.ts';

describe.skipIf(!hasChromium)(`signing in and out on the page (needs ${CHROMIUM})`, BROWSER, () => {
  const t = usePage();

  test('without a session the page says how to sign in, and a link signs in', async () => {
    await t.page.goto(`${t.base}/`);
    await t.page.getByText('npm start').waitFor();
    await t.signIn();
    expect(new URL(t.page.url()).pathname).toBe('/');
    await t.page.getByText('npm run demo -- --calls 2 --to 127.0.0.1:5070', { exact: true }).waitFor();
    await t.page.getByText('sip:127.0.0.1:5070', { exact: true }).waitFor();
  });

  test('a link that another site shows signs in too', async () => {
    await t.page.route('http://elsewhere.test/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<a href="${t.signInLink}">Earshot</a>`,
      }),
    );
    await t.page.goto('http://elsewhere.test/');
    await t.page.getByText('Earshot').click();
    await t.page.locator('.connection.live').waitFor();
  });

  test('the form for the API key signs in, and goes to the page that was asked for', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann Archer' });
    await t.page.goto(`${t.base}/calls/${call}`);
    await t.page.getByRole('textbox').fill('wrong');
    await t.page.getByRole('button', { name: 'Sign in' }).click();
    await t.page.getByText('not the API key').waitFor();
    await t.page.getByRole('textbox').fill(API_KEY);
    await t.page.getByRole('button', { name: 'Sign in' }).click();
    await t.page.locator('.call-head', { hasText: 'Ann Archer' }).waitFor();
    expect(new URL(t.page.url()).pathname).toBe(`/calls/${call}`);
  });

  test('a form of another site can neither sign in nor sign out', async () => {
    await t.signIn();
    await t.page.route('http://elsewhere.test/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form method="post" action="${t.base}/signin"><input name="key" value="${API_KEY}"><button>In</button></form>
          <form method="post" action="${t.base}/signout"><button>Out</button></form>`,
      }),
    );
    for (const name of ['In', 'Out']) {
      await t.page.goto('http://elsewhere.test/');
      await t.page.getByRole('button', { name, exact: true }).click();
      await t.page.getByText('FORBIDDEN_ORIGIN').waitFor();
    }
    await t.page.goto(t.base);
    await t.page.locator('.connection.live').waitFor();
  });

  test('signing out takes every tab to the page where one signs in, and shows no words any more', async () => {
    const call = await t.h.writer.startCall();
    await t.h.writer.final(call, { channel: 0, startMs: 0, text: 'Nobody else may read this' });
    await t.signIn();
    const other = await t.browser.context.newPage();
    await other.goto(`${t.base}/calls/${call}`);
    await other.getByText('Nobody else may read this').waitFor();
    await t.page.getByRole('button', { name: 'Sign out' }).click();
    await t.page.getByText('npm start').waitFor();
    await other.getByText('npm start').waitFor();
    expect(await other.getByText('Nobody else').count()).toBe(0);
    expect((await t.browser.context.cookies()).map((cookie) => cookie.name)).not.toContain('earshot_session');
    await other.getByRole('textbox').fill(API_KEY);
    await other.getByRole('button', { name: 'Sign in' }).click();
    await other.getByText('Nobody else may read this').waitFor();
    await other.close();
  });

  test('a page whose session is over goes to where one signs in, on a cut and on any answer', async () => {
    const call = await t.h.writer.startCall({ agent: 'Ann' });
    await t.signIn();
    await t.browser.context.clearCookies();
    t.cutter.cut();
    await t.page.getByText('npm start').waitFor();
    await t.page.getByRole('textbox').fill(API_KEY);
    await t.page.getByRole('button', { name: 'Sign in' }).click();
    await t.page.locator('.live-row').waitFor();
    // Else the page may ask for the capacity just then, and go before it is told to.
    await t.page.route('**/v1/capacity', (route) =>
      route.fulfill({ json: { liveCalls: 1, channels: 2, maxCalls: null, headroom: null, sip: null } }),
    );
    await t.browser.context.clearCookies();
    await t.page.locator('.live-row').click();
    await t.page.getByText('npm start').waitFor();
    expect(new URL(t.page.url()).searchParams.get('to')).toBe(`/calls/${call}`);
  });
});
