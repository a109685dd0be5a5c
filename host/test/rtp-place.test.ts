import { bindUdp, portOf } from '@earshot/platform';
import { expect, test } from 'vitest';
import { checkRtpPlace } from '../src/rtp-place.ts';

test('an address that this machine lacks is refused by its setting', () => {
  expect(() => checkRtpPlace('192.0.2.77', 31_101, 31_110)).toThrowError(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/no address 192\.0\.2\.77 \(RTP_BIND/) as string,
    }) as Error,
  );
});

test('one free port of the range will do; that all are taken is said otherwise', () => {
  const taken = bindUdp('127.0.0.1', 0);
  const port = portOf(taken);
  expect(() => checkRtpPlace('127.0.0.1', port, port)).toThrowError(
    expect.objectContaining({
      code: 'PORT_IN_USE',
      message: expect.stringMatching(/RTP_PORT_MIN, RTP_PORT_MAX/) as string,
    }) as Error,
  );
  expect(() => checkRtpPlace('127.0.0.1', port, port + 4)).not.toThrow();
  taken.close();
  expect(() => checkRtpPlace('127.0.0.1', port, port)).not.toThrow();
});
