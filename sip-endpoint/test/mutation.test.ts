import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import { expect, it } from 'vitest';
import { StreamFramer } from '../src/parse/framing.ts';
import { parseMessage } from '../src/parse/parse.ts';
import { connectApp, startEndpoint } from './support/endpoint.ts';
import { FakeTimers } from './support/fake-timers.ts';
import { SDP, Uac } from './support/uac.ts';
import { eventually } from './support/wait.ts';

/** A small seeded generator (mulberry32), so that a failure can be repeated. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

const SPICE = [
  '\r\n',
  '\0',
  ',',
  ';',
  '"',
  '<',
  '>',
  ':',
  '|',
  '%00',
  '\r\n ',
  'SIP/2.0',
  '-1',
  '9'.repeat(30),
  '\\',
  '@',
  '[',
  ';tag=',
  '#',
  'Via: ',
  'l: 9\r\n',
];

/** One to four changes: a byte, a piece cut out, a piece said twice, something spicy put in. */
function mutate(bytes: Buffer, random: (below: number) => number): Buffer {
  let text = bytes.toString('latin1');
  for (let i = 1 + random(4); i > 0; i--) {
    const at = random(text.length + 1);
    const size = random(20);
    const before = text.slice(0, at);
    const rest = text.slice(at);
    const choice = random(4);
    if (choice === 0) text = before + String.fromCharCode(random(256)) + rest.slice(1);
    else if (choice === 1) text = before + rest.slice(size);
    else if (choice === 2) text = before + rest.slice(0, size) + rest;
    else text = before + (SPICE[random(SPICE.length)] ?? '') + rest;
  }
  return Buffer.from(text, 'latin1');
}

it('20,000 mutated messages never throw, and a good call succeeds right after', async () => {
  const endpoint = await startEndpoint({ timers: new FakeTimers() });
  const app = await connectApp(endpoint, (srf) => {
    srf.invite((req, res) => void srf.createUAS(req, res, { localSdp: SDP }).catch(() => undefined));
    srf.options((_req, res) => void res.send(200));
    srf.info((_req, res) => void res.send(200));
    srf.bye((_req, res) => void res.send(200));
  });
  const uac = await Uac.udp(endpoint.udpPort);
  const random = seeded(20_260_726);
  // Answers to mutants go to whatever their Via says: a socket of their own keeps them out of the good call.
  const sender = createSocket('udp4');
  sender.bind(0, '127.0.0.1');
  await once(sender, 'listening');
  const seen = (): number => {
    const { requestsByMethod, parseFailuresByCode, responsesReceivedByStatus } = endpoint.stats();
    const tables = [requestsByMethod, parseFailuresByCode, responsesReceivedByStatus];
    return tables.flatMap((table) => Object.values(table)).reduce((sum, count) => sum + count, 0);
  };
  const METHODS = ['INVITE', 'OPTIONS', 'BYE', 'INFO', 'CANCEL', 'ACK', 'REGISTER'];
  let sent = 0;
  let failures = 0;
  for (let i = 0; i < 20_000; i++) {
    const call = uac.call();
    if (random(3) === 0) call.toTag = 'there';
    const method = METHODS[random(METHODS.length)] ?? 'INVITE';
    const source =
      random(10) === 0
        ? Buffer.from(
            call.bytes('INVITE', 1, call.branch()).toString('latin1').replace(/^.*/, 'SIP/2.0 200 OK'),
          )
        : call.bytes(method, 1 + random(5), call.branch(), [['Content-Type', 'application/sdp']], SDP);
    const mutant = mutate(source, random);
    if (!parseMessage(mutant).ok) failures++;
    new StreamFramer().push(mutant);
    if (mutant.length < 16) continue;
    sender.send(mutant, endpoint.udpPort, '127.0.0.1');
    sent++;
    if (i % 200 === 199) await eventually(`all ${sent} are read`, () => seen() === sent);
  }
  sender.close();
  expect(endpoint.stats().internalErrors).toBe(0);
  // The generator is worth its name when many, and not all, are refused.
  expect(failures).toBeGreaterThan(5000);
  expect(failures).toBeLessThan(19_000);
  const caller = await Uac.udp(endpoint.udpPort);
  const call = caller.call();
  const ok = await call.establish();
  expect(ok.body.toString()).toBe(SDP);
  call.send('BYE');
  await caller.response(200, 'BYE');
  caller.close();
  uac.close();
  app.disconnect();
  await endpoint.close();
}, 60_000);
