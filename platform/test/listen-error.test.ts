import { expect, test } from 'vitest';
import { listenError } from '../src/listen-error.ts';

const place = {
  what: 'HTTP',
  address: '::1',
  port: 80,
  addressSetting: 'HTTP_BIND',
  portSetting: 'HTTP_PORT',
} as const;

test.each([
  ['EADDRINUSE', 'PORT_IN_USE', /^HTTP cannot listen on \[::1\]:80: the port is taken \(HTTP_PORT\)/],
  ['EADDRNOTAVAIL', 'CONFIG_INVALID', /no address ::1 \(HTTP_BIND, or BIND\)/],
  ['EAFNOSUPPORT', 'CONFIG_INVALID', /EAFNOSUPPORT \(HTTP_BIND/],
  ['EACCES', 'CONFIG_INVALID', /this user may not \(EACCES\).*CAP_NET_BIND_SERVICE.*\(HTTP_PORT\)/],
])('%s is %s, told by the setting that mends it', (errno, code, says) => {
  const cause = new Error(errno);
  const error = listenError(errno, place, cause);
  expect(error).toMatchObject({ code, cause });
  expect(error?.message).toMatch(says);
});

test('what is not about the place is left to whoever knows more', () => {
  expect(listenError('EMFILE', place, null)).toBeNull();
  expect(listenError(undefined, place, null)).toBeNull();
});
