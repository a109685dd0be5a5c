import { expect, test } from 'vitest';
import { EarshotError } from '@earshot/contracts';
import { readConfig } from '../src/config.ts';
import { addressCheck } from '../src/settings.ts';

function faultOf(env: NodeJS.ProcessEnv): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof EarshotError) return error.message;
    throw error;
  }
  return '';
}

test('no environment at all gives loopback defaults', () => {
  const config = readConfig({});
  expect(config).toMatchObject({ sipBind: '127.0.0.1', httpPort: 8080, sipPort: 5060, record: true });
  expect(config.mediaWorkers).toBeGreaterThan(0);
});

test('every fault is named at once', () => {
  const fault = faultOf({
    HTTP_PORT: '80a',
    RTP_PORT_MIN: '9',
    DATABASE_URL: 'mysql://x',
    RECORD: 'maybe',
    SIP_ALLOW: '10.0.0.0/99',
  });
  for (const name of ['HTTP_PORT', 'RTP_PORT_MIN', 'DATABASE_URL', 'RECORD', 'SIP_ALLOW'])
    expect(fault).toContain(name);
});

test('SIP beyond loopback without SIP_ALLOW is refused', () => {
  expect(faultOf({ BIND: '0.0.0.0' })).toContain('SIP_ALLOW');
  expect(faultOf({ BIND: '0.0.0.0', SIP_ALLOW: '192.0.2.0/24' })).toBe('');
  expect(faultOf({ SIP_BIND: '198.51.100.1' })).toContain('SIP_ALLOW');
});

test('BIND is the default of the three binds, and each can differ', () => {
  const config = readConfig({ BIND: '192.0.2.9', SIP_ALLOW: '192.0.2.0/24', HTTP_BIND: '127.0.0.1' });
  expect(config).toMatchObject({ sipBind: '192.0.2.9', rtpBind: '192.0.2.9', httpBind: '127.0.0.1' });
});

test('an empty value counts as unset', () => {
  expect(readConfig({ HTTP_PORT: '' }).httpPort).toBe(8080);
});

test('the address check takes networks, single addresses and IPv4 in IPv6 form', () => {
  const allowed = addressCheck(['192.0.2.0/24', '198.51.100.7', '2001:db8::/32']);
  expect(['192.0.2.200', '198.51.100.7', '::ffff:192.0.2.1', '2001:db8::5'].every(allowed)).toBe(true);
  expect(['192.0.3.1', '198.51.100.8', '2001:db9::1', 'nonsense'].some(allowed)).toBe(false);
});

test('a setting whose part is not built yet is refused, not ignored', () => {
  expect(faultOf({ RETENTION_DAYS: '30' })).toContain('RETENTION_DAYS');
});
