import { DEFAULT_VAD, EarshotError, RECORDING_FORMATS, VAD_KINDS, vadKindOf } from '@earshot/contracts';
import {
  type Faults,
  type Setting,
  bindSetting,
  choiceSetting,
  choicesSetting,
  cidrSetting,
  hostSetting,
  integerSetting,
  listSetting,
  reachableSetting,
  textSetting,
  urlSetting,
} from './settings.ts';
import type { Config } from './config-shape.ts';
import { contradictions } from './contradictions.ts';
import { readSipUsers } from './sip-users.ts';
import { availableParallelism, totalmem } from 'node:os';

/** Every setting: the environment variable, its meaning and its default. docs/configuration.md is made from this. */
export const settings = {
  BIND: bindSetting(
    '127.0.0.1',
    'Address that SIP, RTP and HTTP listen on. Anything but loopback needs SIP_ALLOW.',
  ),
  SIP_BIND: bindSetting(null, 'Address for SIP, if not BIND.'),
  RTP_BIND: bindSetting(null, 'Address for RTP, if not BIND.'),
  HTTP_BIND: bindSetting(null, 'Address for HTTP, if not BIND.'),
  HTTP_PORT: integerSetting(8080, 0, 65535, 'Port of the dashboard and the API. 0 takes a free one.'),
  SIP_PORT: integerSetting(5060, 0, 65535, 'Port for SIP over UDP and TCP. 0 takes a free one.'),
  SIPS_PORT: integerSetting(
    5061,
    0,
    65535,
    'Port for SIP over TLS, open when TLS_CERT_FILE is set. 0 takes a free one.',
  ),
  TLS_CERT_FILE: textSetting(
    null,
    'PEM file with the certificate for SIP over TLS, the intermediate ones after it. It is read again when it changes. Unset: no TLS.',
  ),
  TLS_KEY_FILE: textSetting(null, 'PEM file with the key of TLS_CERT_FILE.'),
  TLS_CA_FILE: textSetting(
    null,
    'PEM file with the authorities whose certificates SIP peers must show (mutual TLS). Unset: peers need none.',
  ),
  RTP_PORT_MIN: integerSetting(
    20000,
    1024,
    65534,
    'Lowest RTP port. Keep the range outside the ephemeral ports of the system.',
  ),
  RTP_PORT_MAX: integerSetting(32767, 1025, 65535, 'Highest RTP port. A stream takes two: RTP and RTCP.'),
  PUBLIC_IP: reachableSetting(
    null,
    'Address that the SDP and Contact show, when it is not the one bound (NAT).',
  ),
  PUBLIC_URL: urlSetting(
    null,
    ['http:', 'https:'],
    'Address that browsers and links use, when it is not http://BIND:HTTP_PORT.',
  ),
  DATA_DIR: textSetting('./data', 'Folder for the embedded database, the spool, recordings and the API key.'),
  DATABASE_URL: urlSetting(
    null,
    ['postgres:', 'postgresql:'],
    'PostgreSQL 15 or later. Unset: an embedded server in DATA_DIR.',
  ),
  REDIS_URL: urlSetting(null, ['redis:', 'rediss:'], 'Redis for jobs. Unset: jobs are kept in PostgreSQL.'),
  DRACHTIO_HOST: hostSetting(null, 'Host of a drachtio-server. Unset: the embedded SIP endpoint.'),
  DRACHTIO_PORT: integerSetting(9022, 1, 65535, 'Port of drachtio-server for applications.'),
  DRACHTIO_SECRET: textSetting('cymru', 'Shared secret of drachtio-server.'),
  ASR_MODEL: textSetting(
    null,
    'Folder of the recognition model, or the URL of a speech server (docs/engines-by-network.md). Unset: the shipped model.',
  ),
  ASR_KEY: textSetting(null, 'Key for the speech server that ASR_MODEL names. It is never logged.'),
  MEDIA_WORKERS: integerSetting(null, 1, 64, 'Media workers. Default: one for each two cores.'),
  ASR_ENGINES: integerSetting(null, 1, 64, 'Recognition engines. Default: one for each two cores.'),
  ASR_STANDBY: integerSetting(
    null,
    0,
    16,
    'Recognition engines beyond ASR_ENGINES that stand by for one that dies or is overloaded; each takes memory, but no processor time. Default: 1, and 0 with a speech server or less than 4 GiB of memory.',
  ),
  MAX_CALLS: integerSetting(
    null,
    1,
    100000,
    'Calls at once; more get 503. Default: no limit but what ADMISSION and the RTP ports allow.',
  ),
  ADMISSION: choiceSetting(
    'measured',
    ['measured', 'open'],
    'measured: calls that the recognition engines could not keep up with are recorded first (RECORD_FIRST_CALLS), and those beyond get 503. open: they are taken and recorded, and words come late, of the other calls too.',
  ),
  RECORD_FIRST_CALLS: integerSetting(
    null,
    0,
    100000,
    'Calls that may wait for recognition at once, live and ended: they are answered and recorded, and their words follow when the engines have room. 0: none, such calls get 503. Default: half as many as the engines carry; 0 where RECORD is off, since their audio outlives them.',
  ),
  SIP_RATE: integerSetting(
    100,
    0,
    100000,
    'New calls a second from one source address; more get 503. With SIP_USERS a call takes two. 0: no limit.',
  ),
  SIP_BURST: integerSetting(
    null,
    1,
    100000,
    'New calls that may come at once from one source address. Default: five times SIP_RATE.',
  ),
  SIP_USERS: textSetting(
    null,
    'Who may call, as user:password, comma-separated: calls are then authenticated by digest (SHA-256 or MD5). Unset, and without SIP_USERS_FILE: SIP_ALLOW alone decides. It is never logged.',
  ),
  SIP_USERS_FILE: textSetting(null, 'File with a user:password a line, besides SIP_USERS. Read at start.'),
  VAD: choiceSetting(
    DEFAULT_VAD,
    VAD_KINDS,
    'How speech is told from what need not be recognised. model: by a small network, which holds back hold music, tones and noise, but also some words spoken over music; energy: everything that is louder than the background passes.',
  ),
  RECORD: choiceSetting('on', ['on', 'off'], 'off: transcribe without keeping audio after the call.'),
  RECORDING_FORMATS: choicesSetting(
    ['wav'],
    RECORDING_FORMATS,
    'What a recording is kept as. wav: 16-bit PCM, 115 MB for an hour of two channels; opus: Ogg Opus at about 16 kbit/s a channel, 14 MB, for which an hour of a call costs 17 s of a core. With opus alone a WAV is decoded for whoever asks for one.',
  ),
  SIP_ALLOW: cidrSetting(['127.0.0.0/8', '::1/128'], 'Networks (CIDR, comma-separated) that may send SIP.'),
  API_KEY: textSetting(null, 'A fixed admin key. Unset: made at first start in DATA_DIR/api-key.'),
  DISK_RESERVE: integerSetting(
    5,
    0,
    100,
    'Percent of the disk with DATA_DIR below which new calls are transcribed and not recorded, so that live calls and the database have the rest.',
  ),
  RTP_READER: choiceSetting(
    'native',
    ['native', 'dgram'],
    'Who reads the RTP sockets. native is compiled at the first start and falls back to dgram, at some three times the CPU time a packet, where that is not possible.',
  ),
  AGENT_NUMBERS: listSetting(
    'numbers',
    /^\+?[\w.*-]{1,64}$/,
    '1xxx,+4989123*',
    'Numbers, or users of SIP addresses, that are agents: x is a digit, * is anything. Whoever matches is the agent on a call, the other of two the customer.',
  ),
  AGENT_DOMAINS: listSetting(
    'domains',
    /^[A-Za-z0-9.:[\]-]{1,253}$/,
    'pbx.example.com',
    'Domains of SIP addresses that are agents, those below them too.',
  ),
  RTP_TIMEOUT_S: integerSetting(
    60,
    2,
    86400,
    'Seconds without RTP after which a call that is not held ends.',
  ),
  LOG_LEVEL: choiceSetting('info', ['trace', 'debug', 'info', 'warn', 'error'], 'How much is logged.'),
} as const satisfies Record<string, Setting<unknown>>;

/** A speech server's connections are its own; a small machine has no memory for a model twice. */
const standbyFor = (model: string | undefined): number =>
  (model ?? '').includes('://') || totalmem() < STANDBY_FROM_BYTES ? 0 : 1;

/** Machines sold as 4 GiB show somewhat less. */
const STANDBY_FROM_BYTES = 3.5 * 2 ** 30;

function readSips(env: NodeJS.ProcessEnv, faults: Faults): Config['sips'] {
  const read = (name: 'TLS_CERT_FILE' | 'TLS_KEY_FILE' | 'TLS_CA_FILE'): string | null =>
    settings[name].read(name, env[name], faults);
  const port = settings.SIPS_PORT.read('SIPS_PORT', env['SIPS_PORT'], faults) ?? 5061;
  const [certFile, keyFile, caFile] = [read('TLS_CERT_FILE'), read('TLS_KEY_FILE'), read('TLS_CA_FILE')];
  if (certFile !== null && keyFile !== null) return { port, certFile, keyFile, caFile };
  if (certFile !== null) faults.push('TLS_CERT_FILE is set and TLS_KEY_FILE is not');
  else if (keyFile !== null || caFile !== null)
    faults.push(`${keyFile === null ? 'TLS_CA_FILE' : 'TLS_KEY_FILE'} is set and TLS_CERT_FILE is not`);
  return null;
}

/**
 * The configuration, from the environment.
 * @throws EarshotError CONFIG_INVALID that names every fault at once
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const faults: Faults = [];
  const read = <T>(name: keyof typeof settings, setting: Setting<T>): T =>
    setting.read(name, env[name], faults);
  const s = settings;
  const bind = read('BIND', s.BIND) ?? '127.0.0.1';
  const perCore = Math.max(1, Math.floor(availableParallelism() / 2));
  const perSecond = read('SIP_RATE', s.SIP_RATE) ?? 100;
  const config: Config = {
    sipBind: read('SIP_BIND', s.SIP_BIND) ?? bind,
    rtpBind: read('RTP_BIND', s.RTP_BIND) ?? bind,
    httpBind: read('HTTP_BIND', s.HTTP_BIND) ?? bind,
    httpPort: read('HTTP_PORT', s.HTTP_PORT) ?? 8080,
    sipPort: read('SIP_PORT', s.SIP_PORT) ?? 5060,
    sips: readSips(env, faults),
    rtpPortMin: read('RTP_PORT_MIN', s.RTP_PORT_MIN) ?? 20000,
    rtpPortMax: read('RTP_PORT_MAX', s.RTP_PORT_MAX) ?? 32767,
    publicIp: read('PUBLIC_IP', s.PUBLIC_IP),
    publicUrl: read('PUBLIC_URL', s.PUBLIC_URL),
    dataDir: read('DATA_DIR', s.DATA_DIR) ?? './data',
    databaseUrl: read('DATABASE_URL', s.DATABASE_URL),
    redisUrl: read('REDIS_URL', s.REDIS_URL),
    drachtio: {
      host: read('DRACHTIO_HOST', s.DRACHTIO_HOST),
      port: read('DRACHTIO_PORT', s.DRACHTIO_PORT) ?? 9022,
      secret: read('DRACHTIO_SECRET', s.DRACHTIO_SECRET) ?? 'cymru',
    },
    asrModel: read('ASR_MODEL', s.ASR_MODEL),
    asrKey: read('ASR_KEY', s.ASR_KEY),
    asrStandby: read('ASR_STANDBY', s.ASR_STANDBY) ?? standbyFor(env['ASR_MODEL']),
    mediaWorkers: read('MEDIA_WORKERS', s.MEDIA_WORKERS) ?? perCore,
    asrEngines: read('ASR_ENGINES', s.ASR_ENGINES) ?? perCore,
    maxCalls: read('MAX_CALLS', s.MAX_CALLS),
    admitMeasured: read('ADMISSION', s.ADMISSION) === 'measured',
    recordFirstCalls: read('RECORD_FIRST_CALLS', s.RECORD_FIRST_CALLS),
    sipRate: perSecond === 0 ? null : { perSecond, burst: read('SIP_BURST', s.SIP_BURST) ?? 5 * perSecond },
    sipUsers: readSipUsers('SIP_USERS', (read('SIP_USERS', s.SIP_USERS) ?? '').split(','), faults),
    sipUsersFile: read('SIP_USERS_FILE', s.SIP_USERS_FILE),
    vad: vadKindOf(read('VAD', s.VAD)),
    record: read('RECORD', s.RECORD) === 'on',
    recordingFormats: read('RECORDING_FORMATS', s.RECORDING_FORMATS),
    sipAllow: read('SIP_ALLOW', s.SIP_ALLOW),
    apiKey: read('API_KEY', s.API_KEY),
    diskReserve: read('DISK_RESERVE', s.DISK_RESERVE) ?? 5,
    rtpReader: read('RTP_READER', s.RTP_READER) ?? 'native',
    agents: {
      numbers: read('AGENT_NUMBERS', s.AGENT_NUMBERS),
      domains: read('AGENT_DOMAINS', s.AGENT_DOMAINS),
    },
    rtpTimeoutS: read('RTP_TIMEOUT_S', s.RTP_TIMEOUT_S) ?? 60,
    logLevel: read('LOG_LEVEL', s.LOG_LEVEL),
  };
  faults.push(...contradictions(config, env));
  if (faults.length > 0) {
    throw new EarshotError('CONFIG_INVALID', faults.join('; '));
  }
  return config;
}
