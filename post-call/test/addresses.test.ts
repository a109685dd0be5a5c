import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isAllowedAddress, targetOf } from '../src/webhooks/addresses.ts';
import { post, STANDARD_LIMITS } from '../src/webhooks/post.ts';
import { Endpoint } from './harness.ts';

let endpoint: Endpoint;
beforeAll(async () => void (endpoint = await Endpoint.start()));
afterAll(() => endpoint.stop());

const nobody = (): Promise<never> => Promise.reject(new Error('resolved'));
const refusalOf = (url: string, allowLoopback = false): Promise<string> =>
  targetOf(url, allowLoopback, nobody).then(
    ({ address }) => `goes to ${address}`,
    (error: Error & { code?: string }) => error.code ?? error.message,
  );

test.each([
  'https://127.0.0.1/',
  'https://127.1/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0x7f.0.0.1/',
  'https://0177.0.0.1/',
  'https://0/',
  'https://10.1.2.3/',
  'https://172.16.0.1/',
  'https://172.31.255.255/',
  'https://192.168.1.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://100.64.0.1/',
  'https://224.0.0.1/',
  'https://255.255.255.255/',
  'https://[::1]/',
  'https://[::]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[::ffff:a9fe:a9fe]/',
  'https://[::127.0.0.1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://[2001:0:1::1]/',
  'https://[fe80::1]/',
  'https://[fd00:ec2::254]/',
  'https://[ff02::1]/',
  'http://192.0.32.7/', // public, but not https
  'ftp://192.0.32.7/',
  'not an address',
])('%s is refused', async (url) => {
  expect(await refusalOf(url)).toBe('WEBHOOK_URL_FORBIDDEN');
});

test.each(['https://192.0.32.7/', 'https://[2606:4700::1111]/'])('%s is allowed', async (url) => {
  expect(await refusalOf(url)).toMatch(/^goes to /);
});

test.each([
  'http://127.0.0.1:1/',
  'https://127.9.9.9/',
  'http://2130706433/',
  'http://[::1]/',
  'http://[::ffff:7f00:1]/',
])('%s is allowed while loopback is', async (url) => {
  expect(await refusalOf(url, true)).toMatch(/^goes to /);
});

test.each(['http://10.0.0.1/', 'https://[::ffff:10.0.0.1]/', 'http://169.254.169.254/', 'http://0.0.0.0/'])(
  '%s is refused even while loopback is allowed',
  async (url) => {
    expect(await refusalOf(url, true)).toBe('WEBHOOK_URL_FORBIDDEN');
  },
);

test('every private IPv4 address is refused in every spelling that the URL parser takes', async () => {
  const networks = [
    [0x0a000000, 0x00ffffff],
    [0x7f000000, 0x00ffffff],
    [0xa9fe0000, 0x0000ffff],
    [0xac100000, 0x000fffff],
    [0xc0a80000, 0x0000ffff],
    [0xe0000000, 0x1fffffff],
  ] as const;
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...networks), fc.nat(0xffffffff), async ([base, mask], host) => {
      const address = (base | (host & mask)) >>> 0;
      const bytes = [24, 16, 8, 0].map((shift) => (address >>> shift) & 255);
      const hex = address.toString(16).padStart(8, '0');
      for (const spelling of [
        bytes.join('.'),
        String(address),
        `0x${hex}`,
        bytes.map((byte) => `0${byte.toString(8)}`).join('.'),
        `${bytes[0]}.${((bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0}`,
        `[::ffff:${bytes.join('.')}]`,
        `[::ffff:${hex.slice(0, 4)}:${hex.slice(4)}]`,
        `[0:0:0:0:0:ffff:${hex.slice(0, 4)}:${hex.slice(4)}]`,
        `[::${hex.slice(0, 4)}:${hex.slice(4)}]`,
        `[64:ff9b::${hex.slice(0, 4)}:${hex.slice(4)}]`,
        `[2002:${hex.slice(0, 4)}:${hex.slice(4)}::1]`,
      ]) {
        expect(await refusalOf(`https://${spelling}/`), spelling).toBe('WEBHOOK_URL_FORBIDDEN');
      }
    }),
    { numRuns: 200 },
  );
});

test('what is no address is never allowed', () => {
  fc.assert(
    fc.property(fc.string(), fc.boolean(), (text, loopback) => {
      fc.pre(!/^[0-9a-f.:%]+$/i.test(text));
      expect(isAllowedAddress(text, loopback)).toBe(false);
    }),
  );
});

test('a name with one private address among public ones is refused', async () => {
  const resolve = () =>
    Promise.resolve([
      { address: '192.0.32.7', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ]);
  await expect(targetOf('https://hook.example.test/', false, resolve)).rejects.toMatchObject({
    code: 'WEBHOOK_URL_FORBIDDEN',
  });
});

test('the name is resolved once, and the connection goes to the address that was checked', async () => {
  let asked = 0;
  const result = await post({
    url: `http://hook.example.test:${endpoint.port}/a`,
    body: '{}',
    headers: {},
    allowLoopback: true,
    limits: STANDARD_LIMITS,
    resolve: () => {
      asked++;
      return Promise.resolve([{ address: asked === 1 ? '127.0.0.1' : '127.0.0.99', family: 4 }]);
    },
  });
  expect(result).toMatchObject({ kind: 'answered', status: 200 });
  expect(asked).toBe(1);
  expect(endpoint.received.at(-1)?.headers.host).toBe(`hook.example.test:${endpoint.port}`);
});

test('a name that cannot be resolved is a try without an answer, not a refusal', async () => {
  const result = await post({
    url: 'https://hook.example.test/',
    body: '{}',
    headers: {},
    allowLoopback: false,
    limits: STANDARD_LIMITS,
    resolve: () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })),
  });
  expect(result).toEqual({ kind: 'unanswered', error: 'ENOTFOUND' });
});

test('a resolver that never answers is given up after the limit', async () => {
  const result = await post({
    url: 'https://hook.example.test/',
    body: '{}',
    headers: {},
    allowLoopback: false,
    limits: { stepMs: 50, totalMs: 100 },
    resolve: () => new Promise(() => undefined),
  });
  expect(result).toEqual({ kind: 'unanswered', error: 'EDNSTIMEOUT' });
});
