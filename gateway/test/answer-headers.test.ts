import { describe, expect, it } from 'vitest';
import { readConfig } from '@earshot/platform';
import { mediaAddress } from '../src/control/incoming.ts';
import { sessionTimer } from '../src/control/session-headers.ts';
import type { SipRequest } from '../src/sip/request.ts';
import { headersOf } from './support/headers.ts';

describe('what a 200 says', () => {
  const request = (headers: Record<string, string>, receivedOn: string | null = null): SipRequest =>
    ({ ...headersOf(headers), receivedOn }) as SipRequest;

  it('takes the address for RTP from PUBLIC_IP, else RTP_BIND, else where the INVITE came to', () => {
    const address = (env: Record<string, string>): string =>
      mediaAddress(readConfig(env), request({}, '192.0.2.7'));
    expect(address({ PUBLIC_IP: '203.0.113.1' })).toBe('203.0.113.1');
    expect(address({ RTP_BIND: '192.0.2.99', SIP_ALLOW: '192.0.2.0/24' })).toBe('192.0.2.99');
    expect(address({ RTP_BIND: '0.0.0.0' })).toBe('192.0.2.7');
  });

  it.each<[what: string, headers: Record<string, string>, answer: string | undefined]>([
    [
      'leaves the refresh to the caller',
      { 'session-expires': '1800', supported: '100rel, timer' },
      '1800;refresher=uac',
    ],
    ['keeps refresher=uac', { 'session-expires': '90;refresher=uac', require: 'timer' }, '90;refresher=uac'],
    [
      'refreshes where the caller wants us to',
      { 'session-expires': '90;refresher=uas', supported: 'timer' },
      '90;refresher=uas',
    ],
    ['refreshes where a proxy put it in', { 'session-expires': '1800' }, '1800;refresher=uas'],
    ['answers a second with what may be least', { 'session-expires': '1' }, '90;refresher=uas'],
    ['has no timer where nobody asks for one', { supported: 'timer' }, undefined],
    ['has none for what is no number', { 'session-expires': 'soon', supported: 'timer' }, undefined],
  ])('%s (RFC 4028)', (_what, headers, answer) => {
    expect(sessionTimer(request(headers))['Session-Expires']).toBe(answer);
  });
});
