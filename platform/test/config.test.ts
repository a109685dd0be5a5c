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

test('recordings are kept in the formats that are named, each once, and as WAV by default', () => {
  const formats = (value: string) => readConfig({ RECORDING_FORMATS: value }).recordingFormats;
  expect(readConfig({}).recordingFormats).toEqual(['wav']);
  expect(formats('opus')).toEqual(['opus']);
  expect(formats(' opus, wav,opus ')).toEqual(['wav', 'opus']);
  for (const wrong of ['mp3', 'wav,', 'wav opus', ','])
    expect(faultOf({ RECORDING_FORMATS: wrong })).toMatch(
      /RECORDING_FORMATS: ".*" is not one or more of wav, opus/,
    );
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

test('agents are told by lists of numbers and domains, each of its form', () => {
  const { agents } = readConfig({
    AGENT_NUMBERS: ' 1xxx, +4989123*,agent* ',
    AGENT_DOMAINS: 'pbx.example.com,',
  });
  expect(agents).toEqual({ numbers: ['1xxx', '+4989123*', 'agent*'], domains: ['pbx.example.com'] });
  expect(readConfig({}).agents).toEqual({ numbers: [], domains: [] });
  expect(faultOf({ AGENT_NUMBERS: '1 2', AGENT_DOMAINS: 'a@b' })).toMatch(/AGENT_NUMBERS.*AGENT_DOMAINS/);
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

test('callers with passwords are read from SIP_USERS, and a fault does not say what stands there', () => {
  expect(readConfig({ SIP_USERS: 'sbc:a:b , pbx:c' }).sipUsers).toEqual([
    { name: 'sbc', password: 'a:b' },
    { name: 'pbx', password: 'c' },
  ]);
  const fault = faultOf({ SIP_USERS: 'sbc:secret,nameless-secret' });
  expect(fault).toContain('SIP_USERS: entry 2');
  expect(fault).not.toContain('secret');
});

test('the rate of a source has a burst of five seconds unless it is said, and 0 is no limit', () => {
  expect(readConfig({ SIP_RATE: '30' }).sipRate).toEqual({ perSecond: 30, burst: 150 });
  expect(readConfig({ SIP_RATE: '30', SIP_BURST: '40' }).sipRate).toEqual({ perSecond: 30, burst: 40 });
  expect(readConfig({ SIP_RATE: '0' }).sipRate).toBeNull();
});

test('SIP over TLS is on with a certificate and its key, and half of it is a fault', () => {
  expect(readConfig({}).sips).toBeNull();
  const files = { TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' };
  expect(readConfig(files).sips).toEqual({
    port: 5061,
    certFile: 'cert.pem',
    keyFile: 'key.pem',
    caFile: null,
  });
  expect(readConfig({ ...files, SIPS_PORT: '0', TLS_CA_FILE: 'ca.pem' }).sips).toMatchObject({
    port: 0,
    caFile: 'ca.pem',
  });
  expect(faultOf({ TLS_CERT_FILE: 'cert.pem' })).toContain('TLS_KEY_FILE');
  expect(faultOf({ SIPS_PORT: '5061' })).toContain('TLS_CERT_FILE');
});
