import { beforeAll, describe, expect, it } from 'vitest';
import { SipEndpoint } from '../src/endpoint.ts';
import { answerAll, FakeSurroundings, flowFrom } from '../src/fuzz/surroundings.ts';
import { headerValue, type SipResponse } from '../src/parse/message.ts';
import { parseMessage } from '../src/parse/parse.ts';
import { deliver } from '../src/transport/transports.ts';
import { INVALID } from './rfc4475/invalid.ts';
import { LAYERS } from './rfc4475/layers.ts';
import type { TortureMessage } from './rfc4475/message.ts';
import { VALID } from './rfc4475/valid.ts';
import { connectApp, quiet, startEndpoint } from './support/endpoint.ts';
import { SDP, Uac } from './support/uac.ts';
import { eventually } from './support/wait.ts';

const MESSAGES = [...VALID, ...INVALID, ...LAYERS];
const named = (name: string): TortureMessage => {
  const found = MESSAGES.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no message ${name}`);
  return found;
};

/** Refusals that are the application's: the endpoint only has to hand these on whole. */
const BY_APPLICATION = new Set([406, 415, 420]);
const FLOW = flowFrom('udp', '192.0.2.77', 5060);

let endpoint: SipEndpoint;
let surroundings: FakeSurroundings;
let sent: Buffer[] = [];
let asked: string[] = [];
const shown: string[] = [];
/** What the application says to the message under test. */
let verdict: number | undefined;

function responses(bytes: Buffer): SipResponse[] {
  sent = [];
  asked = [];
  deliver(parseMessage(bytes), FLOW, endpoint);
  surroundings.settle();
  return sent.flatMap((answer) => {
    const result = parseMessage(answer);
    // An answer to a broken message repeats what was broken in it.
    if (!result.ok) return [];
    return result.message.kind === 'response' ? [result.message] : [];
  });
}

const finalStatus = (): number | 'silence' => {
  const statuses = sent.map((bytes) => Number(bytes.toString('latin1', 8, 11)));
  return statuses.find((status) => status >= 200) ?? 'silence';
};

let serial = 0;
function goodCall(): void {
  const id = ++serial;
  const text = (method: string, seq: number, toTag: string): Buffer =>
    Buffer.from(
      [
        `${method} sip:recorder@192.0.2.200 SIP/2.0`,
        `Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKgood${id}${method}`,
        `From: <sip:sbc@192.0.2.77>;tag=good${id}`,
        `To: <sip:recorder@192.0.2.200>${toTag}`,
        `Call-ID: good-${id}@192.0.2.77`,
        `CSeq: ${seq} ${method}`,
        'Contact: <sip:sbc@192.0.2.77>',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    );
  const ok = responses(text('INVITE', 1, '')).find((response) => response.status === 200);
  const toTag = `;tag=${ok?.to.params.get('tag')}`;
  expect(ok).toBeDefined();
  responses(text('ACK', 1, toTag));
  expect(asked).toEqual(['ACK']);
  responses(text('BYE', 2, toTag));
  expect(finalStatus()).toBe(200);
}

beforeAll(async () => {
  surroundings = new FakeSurroundings(
    (method, text) => {
      asked.push(method);
      shown.push(text);
      return verdict === undefined ? answerAll(method, text) : `SIP/2.0 ${verdict} No\r\n\r\n`;
    },
    (bytes) => void sent.push(bytes),
  );
  endpoint = await SipEndpoint.between(surroundings, quiet);
});

describe('the messages of RFC 4475', () => {
  it('are all 49, and each carries the body that it declares', () => {
    expect(MESSAGES).toHaveLength(49);
    expect(new Set(MESSAGES.map(({ name }) => name)).size).toBe(49);
    expect(new Set(MESSAGES.map(({ section }) => section)).size).toBe(49);
  });

  it.each(MESSAGES)(
    '$section $name is answered with $outcome, and a good call succeeds right after',
    (test) => {
      verdict = BY_APPLICATION.has(Number(test.outcome)) ? Number(test.outcome) : undefined;
      responses(test.bytes);
      verdict = undefined;
      expect(finalStatus()).toBe(test.outcome);
      // What the parser or the dialog refuses never reaches the application; the other messages do.
      const reaches = test.outcome === 200 || BY_APPLICATION.has(Number(test.outcome));
      expect(asked).toEqual(reaches ? [test.bytes.toString('latin1').split(' ', 1)[0]] : []);
      goodCall();
      expect(endpoint.stats().internalErrors).toBe(0);
    },
  );

  it('dblreq: the INVITE behind the REGISTER is not seen', () => {
    responses(named('dblreq').bytes);
    expect(endpoint.stats().requestsByMethod['REGISTER']).toBeGreaterThan(0);
    expect(asked).toEqual([]);
  });

  it('inv2543: the application is shown a Contact, the address that the call came from', () => {
    const invite = parseMessage(named('inv2543').bytes);
    if (!invite.ok) throw new Error(invite.fault.reason);
    expect(headerValue(invite.message.headers, 'contact')).toBeUndefined();
    expect(shown.find((text) => text.includes('inv2543.1717'))).toContain('Contact: <sip:192.0.2.77:5060>');
  });
});

it.each(['udp', 'tcp'] as const)(
  'all 49 over a real %s socket leave an endpoint on which a call succeeds',
  async (proto) => {
    const real = await startEndpoint();
    const app = await connectApp(real, (srf) => {
      srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP }).catch(() => undefined));
      srf.options((_req, res) => void res.send(200));
      srf.bye((_req, res) => void res.send(200));
    });
    const port = proto === 'udp' ? real.udpPort : real.tcpPort;
    const seen = (): number => {
      const { requestsByMethod, parseFailuresByCode, responsesReceivedByStatus } = real.stats();
      const tables = [requestsByMethod, parseFailuresByCode, responsesReceivedByStatus];
      return tables.flatMap((table) => Object.values(table)).reduce((sum, count) => sum + count, 0);
    };
    for (const { name, bytes } of MESSAGES) {
      // A connection each: some of them cannot be told from what follows. clerr waits for a body that never comes.
      const peer = await Uac[proto](port);
      const before = seen();
      peer.sendRaw(bytes);
      if (proto === 'udp' || name !== 'clerr') await eventually(`${name} is read`, () => seen() > before);
      peer.close();
    }
    expect(real.stats().internalErrors).toBe(0);
    const caller = await Uac[proto](port);
    const call = caller.call();
    await call.establish();
    call.send('BYE');
    await caller.response(200, 'BYE');
    caller.close();
    app.disconnect();
    await real.close();
  },
  60_000,
);
