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
  expect(faultOf({ TLS_KEY_FILE: 'key.pem' })).toContain('TLS_KEY_FILE is set and TLS_CERT_FILE is not');
  expect(faultOf({ TLS_CA_FILE: 'ca.pem' })).toContain('TLS_CA_FILE is set and TLS_CERT_FILE is not');
});

test('a port for TLS without a certificate opens nothing, and stops nothing', () => {
  expect(readConfig({ SIPS_PORT: '5063' }).sips).toBeNull();
  expect(faultOf({ SIPS_PORT: '99999' })).toContain('SIPS_PORT');
});

test('what is no address is refused where one is to be listened on or shown', () => {
  for (const name of ['BIND', 'SIP_BIND', 'RTP_BIND', 'HTTP_BIND', 'PUBLIC_IP'])
    for (const wrong of ['999.1.1.1', 'foo.example', '[::1]', '127.0.0.1:5060', '10.0.0.0/8'])
      expect(faultOf({ [name]: wrong, SIP_ALLOW: '10.0.0.0/8' })).toMatch(`${name}: "${wrong}" is not`);
  expect(readConfig({ PUBLIC_IP: '192.0.2.10' }).publicIp).toBe('192.0.2.10');
  expect(readConfig({ PUBLIC_IP: '2001:db8::1', RTP_BIND: '::1' }).publicIp).toBe('2001:db8::1');
});

test('an address that nobody can send to is not shown', () => {
  for (const wrong of ['0.0.0.0', '::', '0:0:0:0:0:0:0:0', 'fe80::1%eth0'])
    expect(faultOf({ PUBLIC_IP: wrong })).toContain('PUBLIC_IP');
  expect(faultOf({ PUBLIC_IP: '2001:db8::1' })).toMatch(/PUBLIC_IP .* IPv6 .*RTP_BIND/);
});

test('localhost is the IPv4 loopback address: sockets are bound to addresses', () => {
  expect(readConfig({ BIND: 'localhost' })).toMatchObject({
    sipBind: '127.0.0.1',
    rtpBind: '127.0.0.1',
    httpBind: '127.0.0.1',
  });
});

test('a drachtio-server is named by a host name or an address, and a misspelt address is no name', () => {
  for (const right of ['drachtio', 'sip-1.example.com', '192.0.2.1', '2001:db8::1', 'a_b.svc.cluster.local.'])
    expect(readConfig({ DRACHTIO_HOST: right }).drachtio.host).toBe(right);
  for (const wrong of ['999.1.1.1', 'tcp://drachtio', 'drachtio:9022', 'a..b', '-a', 'two hosts'])
    expect(faultOf({ DRACHTIO_HOST: wrong })).toContain('DRACHTIO_HOST');
});

test('a range of RTP ports without a pair is refused', () => {
  expect(faultOf({ RTP_PORT_MIN: '20001', RTP_PORT_MAX: '20002' })).toContain('no even port');
  expect(faultOf({ RTP_PORT_MIN: '20000', RTP_PORT_MAX: '20001' })).toBe('');
  expect(faultOf({ RTP_PORT_MIN: '20001', RTP_PORT_MAX: '20003' })).toBe('');
});

test('two that would listen on one port are named', () => {
  const tls = { TLS_CERT_FILE: 'cert.pem', TLS_KEY_FILE: 'key.pem' };
  expect(faultOf({ ...tls, SIPS_PORT: '5060' })).toContain('SIP_PORT and SIPS_PORT are both 5060');
  expect(faultOf({ HTTP_PORT: '5060' })).toContain('HTTP_PORT and SIP_PORT are both 5060');
  expect(faultOf({ HTTP_PORT: '5060', HTTP_BIND: '0.0.0.0' })).toContain('HTTP_PORT and SIP_PORT');
  expect(faultOf({ HTTP_PORT: '5060', HTTP_BIND: '127.0.0.2' })).toBe('');
  expect(faultOf({ HTTP_PORT: '5060', DRACHTIO_HOST: '192.0.2.1' })).toBe('');
  expect(faultOf({ HTTP_PORT: '5061' })).toBe('');
  expect(faultOf({ HTTP_PORT: '0', SIP_PORT: '0', ...tls, SIPS_PORT: '0' })).toBe('');
});

test('a key that no header can carry is refused, and not shown', () => {
  const fault = faultOf({ API_KEY: 'schlüssel mit umlaut' });
  expect(fault).toContain('API_KEY');
  expect(fault).not.toContain('umlaut');
});
