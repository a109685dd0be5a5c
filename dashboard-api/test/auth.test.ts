import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { stopServers } from '../../host/test/postgres.ts';
import { newApiKey, secretFile } from '../src/auth/api-key.ts';
import { SESSION_MS } from '../src/auth/session.ts';
import { SIGNIN_TOKEN_MS } from '../src/auth/signin-tokens.ts';
import { API_KEY, type Harness, startHarness, until } from './harness.ts';
import { SseClient } from './sse.ts';

let clockMs = Date.now();
let h: Harness;
beforeEach(async () => {
  clockMs = Date.now();
  h = await startHarness({ signinToken: 'printed-by-host', now: () => clockMs });
});
afterEach(() => h.stop());
afterAll(() => stopServers());

/** A request as a browser makes it: no key, redirects seen. */
const browse = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(h.url + path, { redirect: 'manual', ...init });

const cookieOf = (response: Response): string => (response.headers.get('set-cookie') ?? '').split(';')[0]!;
const signIn = async (): Promise<string> => cookieOf(await browse('/signin?token=printed-by-host'));

test('everything under /v1 asks for a key and says how to send it', async () => {
  for (const path of ['/v1/calls', '/v1/events', '/v1/webhooks', '/v1/capacity', '/v1/calls/x/transcript']) {
    const response = await browse(path);
    expect(response.status, path).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="earshot"');
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(await response.json()).toMatchObject({ code: 'UNAUTHENTICATED', status: 401 });
  }
});

test('a wrong key is refused, however near it is, also beside a good session', async () => {
  const cookie = await signIn();
  for (const key of ['', 'x', API_KEY.slice(0, -1), `${API_KEY}x`, API_KEY.toUpperCase()]) {
    const response = await browse('/v1/calls', { headers: { authorization: `Bearer ${key}`, cookie } });
    expect(response.status).toBe(401);
  }
  expect((await h.request('/v1/calls')).status).toBe(200);
});

test('a missing key file is made readable for its owner only, and kept', () => {
  const path = join(h.dataDir, 'another', 'api-key');
  const first = secretFile(path, newApiKey);
  expect(first.length).toBeGreaterThan(30);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(secretFile(path, newApiKey)).toBe(first);
});

test('a sign-in link works once, and says how to get another', async () => {
  const first = await browse('/signin?token=printed-by-host');
  expect(first.status).toBe(303);
  expect(first.headers.get('location')).toBe('/');
  const cookie = first.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^earshot_session=/);
  expect(cookie).toContain('HttpOnly');
  expect(cookie).toContain('SameSite=Strict');
  expect(cookie).toContain('Path=/');
  expect(cookie).not.toContain('Secure');
  const second = await browse('/signin?token=printed-by-host');
  expect(second.status).toBe(401);
  expect(second.headers.get('set-cookie')).toBeNull();
  const page = await second.text();
  expect(page).toContain('npm run signin');
  expect(page).toContain('used already');
});

test('a used link stays used when the process is replaced, and an unused one stays good', async () => {
  await signIn();
  const { url } = await h.json<{ url: string }>('/v1/signin-links', { method: 'POST' });
  await h.restart();
  expect((await browse('/signin?token=printed-by-host')).status).toBe(401);
  expect((await fetch(url, { redirect: 'manual' })).status).toBe(303);
});

test('a link preview (HEAD) does not use the link up', async () => {
  await browse('/signin?token=printed-by-host', { method: 'HEAD' });
  expect((await browse('/signin?token=printed-by-host')).status).toBe(303);
});

test('a link expires after a day', async () => {
  const { url, expiresAt } = await h.json<{ url: string; expiresAt: string }>('/v1/signin-links', {
    method: 'POST',
  });
  expect(Date.parse(expiresAt)).toBe(clockMs + SIGNIN_TOKEN_MS);
  clockMs += SIGNIN_TOKEN_MS;
  expect((await fetch(url, { redirect: 'manual' })).status).toBe(401);
});

test('a session reads, and ends after twelve hours', async () => {
  const cookie = await signIn();
  expect((await browse('/v1/calls', { headers: { cookie } })).status).toBe(200);
  clockMs += SESSION_MS - 1;
  expect((await browse('/v1/calls', { headers: { cookie } })).status).toBe(200);
  clockMs += 1;
  expect((await browse('/v1/calls', { headers: { cookie } })).status).toBe(401);
});

test('what changes something by session must come from our own page', async () => {
  const cookie = await signIn();
  const post = (origin?: string): Promise<Response> =>
    browse('/v1/webhooks', {
      method: 'POST',
      headers: {
        cookie,
        'content-type': 'application/json',
        ...(origin === undefined ? {} : { origin }),
      },
      body: JSON.stringify({ url: 'https://example.com/hook' }),
    });
  expect((await post()).status).toBe(403);
  const foreign = await post('https://evil.example');
  expect(foreign.status).toBe(403);
  expect(await foreign.json()).toMatchObject({ code: 'FORBIDDEN_ORIGIN' });
  expect((await post(h.url)).status).toBe(201);
});

test('a WebSocket by session must come from our own page, by key from anywhere', async () => {
  const cookie = await signIn();
  const open = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve) => {
      const socket = new WebSocket(`${h.url.replace('http', 'ws')}/v1/live`, { headers });
      socket.on('open', () => {
        resolve(101);
        socket.close();
      });
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.on('error', () => resolve(0));
    });
  expect(await open({})).toBe(401);
  expect(await open({ cookie })).toBe(403);
  expect(await open({ cookie, origin: 'https://evil.example' })).toBe(403);
  expect(await open({ cookie, origin: h.url })).toBe(101);
  expect(await open({ authorization: `Bearer ${API_KEY}` })).toBe(101);
});

test('the key can be pasted, and guessing it is slowed down', async () => {
  const form = (key: string, origin?: string): Promise<Response> =>
    browse('/signin', {
      method: 'POST',
      body: new URLSearchParams({ key }),
      headers: origin === undefined ? {} : { origin },
    });
  expect((await form(API_KEY, 'https://evil.example')).status).toBe(403);
  const good = await form(` ${API_KEY}\n`, h.url);
  expect(good.status).toBe(303);
  expect((await browse('/v1/calls', { headers: { cookie: cookieOf(good) } })).status).toBe(200);
  const statuses: number[] = [];
  for (let tries = 0; tries < 10; tries++) statuses.push((await form(`wrong-${tries}`)).status);
  expect(statuses).toContain(401);
  const limited = await form(API_KEY);
  expect(limited.status).toBe(429);
  expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  clockMs += 60_000;
  expect((await form(API_KEY)).status).toBe(303);
});

test('without a session / says how to sign in, and shows no page of ours in a frame', async () => {
  const response = await browse('/');
  expect(response.status).toBe(401);
  expect(await response.text()).toContain('npm start');
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).not.toContain('unsafe');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  expect(response.headers.get('referrer-policy')).toBe('same-origin');
  expect(response.headers.get('access-control-allow-origin')).toBeNull();
});

test('a visitor who was sent here by another site gets the page asked for once more, with the cookie', async () => {
  const response = await browse('/', { headers: { 'sec-fetch-site': 'cross-site' } });
  expect(response.status).toBe(200);
  expect(await response.text()).toContain('http-equiv="refresh"');
});

test('signing out takes the cookie away', async () => {
  expect((await browse('/signout', { method: 'POST' })).status).toBe(403);
  const response = await browse('/signout', { method: 'POST', headers: { origin: h.url } });
  expect(response.headers.get('set-cookie')).toMatch(
    /^earshot_session=;.*(Max-Age=0|Expires=Thu, 01 Jan 1970)/,
  );
});

/** A WebSocket by session, and what it was closed with. */
async function liveBy(cookie: string): Promise<{ closed: { code: number; reason: string } | null }> {
  const socket = new WebSocket(`${h.url.replace('http', 'ws')}/v1/live`, {
    headers: { cookie, origin: h.url },
  });
  const client: { closed: { code: number; reason: string } | null } = { closed: null };
  socket.on('close', (code, reason) => (client.closed = { code, reason: reason.toString() }));
  await new Promise((resolve, reject) => socket.on('message', resolve).on('error', reject));
  return client;
}

test('signing out ends the live connections of the session, and those of no other', async () => {
  const mine = await signIn();
  const other = cookieOf(
    await browse('/signin', { method: 'POST', body: new URLSearchParams({ key: API_KEY }) }),
  );
  const [socket, otherSocket] = [await liveBy(mine), await liveBy(other)];
  const stream = await SseClient.open(`${h.url}/v1/events`, { cookie: mine });
  const otherStream = await SseClient.open(`${h.url}/v1/events`, { cookie: other });
  await browse('/signout', { method: 'POST', headers: { origin: h.url, cookie: mine } });
  const closed = await until('the close', () => socket.closed);
  expect(closed.code).toBe(4401);
  expect(closed.reason).toContain('sign in again');
  await until('the end of the stream', () => stream.ended);
  expect((await browse('/v1/calls', { headers: { cookie: mine } })).status).toBe(401);
  expect((await browse('/v1/calls', { headers: { cookie: other } })).status).toBe(200);
  expect(otherSocket.closed).toBeNull();
  expect(otherStream.ended).toBe(false);
  otherStream.close();
});

test('live connections end when the twelve hours of their session do', async () => {
  const cookie = await signIn();
  clockMs += SESSION_MS - 300;
  const socket = await liveBy(cookie);
  const stream = await SseClient.open(`${h.url}/v1/events`, { cookie });
  expect(stream.response.status).toBe(200);
  expect((await until('the close', () => socket.closed)).code).toBe(4401);
  await until('the end of the stream', () => stream.ended);
});

test('signing in leads to the page that was asked for, and never to another site', async () => {
  const asked = await browse('/calls/0190-abc?x=1');
  expect(asked.status).toBe(401);
  const kept = cookieOf(asked);
  const first = await browse('/signin?token=printed-by-host', { headers: { cookie: kept } });
  expect(first.headers.get('location')).toBe('/calls/0190-abc?x=1');
  const keyed = (to: string): Promise<Response> =>
    browse(`/signin?to=${encodeURIComponent(to)}`).then((page) =>
      browse('/signin', {
        method: 'POST',
        body: new URLSearchParams({ key: API_KEY }),
        headers: { cookie: cookieOf(page) },
      }),
    );
  expect((await keyed('/?q=late+kettle')).headers.get('location')).toBe('/?q=late+kettle');
  for (const evil of [
    '//evil.example/',
    '/\\evil.example',
    'https://evil.example/',
    '/signout',
    '/v1/calls',
    'x',
  ]) {
    expect((await keyed(evil)).headers.get('location'), evil).toBe('/');
  }
});

test('an unknown path is a page for people and a problem for programs', async () => {
  const forPeople = await browse('/no/such/page', { headers: { accept: 'text/html,*/*;q=0.8' } });
  expect(forPeople.status).toBe(404);
  expect(forPeople.headers.get('content-type')).toContain('text/html');
  expect(await forPeople.text()).toContain('href="/"');
  for (const [path, accept] of [
    ['/no/such/page', '*/*'],
    ['/v1/nothing', 'text/html'],
  ] as const) {
    const response = await browse(path, { headers: { accept, authorization: `Bearer ${API_KEY}` } });
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ code: 'NOT_FOUND' });
  }
});

test('an address with broken percent-encoding is a problem like any other', async () => {
  for (const path of ['/v1/calls/%E0%A4%A', '/calls/%zz']) {
    const response = await browse(path);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(await response.json()).toMatchObject({ code: 'REQUEST_INVALID', status: 400 });
  }
});

test('a page that is not built says so, to those who are signed in', async () => {
  const response = await browse('/', { headers: { cookie: await signIn() } });
  expect(response.status).toBe(503);
  expect(await response.text()).toContain('vite build');
});

test('capacity names the address for SIP when the endpoint is our own', async () => {
  expect(await h.json('/v1/capacity')).toMatchObject({ sip: null });
  const own = await startHarness({ sipPort: 5070 });
  try {
    expect(await own.json('/v1/capacity')).toMatchObject({ sip: { host: '127.0.0.1', port: 5070 } });
  } finally {
    await own.stop();
  }
});
