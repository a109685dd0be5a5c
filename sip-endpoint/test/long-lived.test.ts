import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SipEndpoint } from '../src/endpoint.ts';
import { SipFuzzer } from '../src/fuzz/fuzzer.ts';
import { answerAll, FakeSurroundings, flowFrom } from '../src/fuzz/surroundings.ts';
import { parseMessage } from '../src/parse/parse.ts';
import { deliver } from '../src/transport/transports.ts';
import { quiet } from './support/endpoint.ts';

const REFRESH_MS = 1_800_000;
const REFRESHES = (100 * 24 * 3_600_000) / REFRESH_MS;
const FLOW = flowFrom('udp', '192.0.2.7', 5060);

it('a call of 100 days is refreshed every half hour to the last CSeq there is, and holds no more at its end', async () => {
  let sent: string[] = [];
  const surroundings = new FakeSurroundings(answerAll, (bytes) => void sent.push(bytes.toString('latin1')));
  const endpoint = await SipEndpoint.between(surroundings, quiet);
  let toTag = '';
  const send = (method: string, seq: number): string => {
    const lines = [
      `${method} sip:recorder@192.0.2.200 SIP/2.0`,
      `Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK${method}${seq}`,
      'From: <sip:sbc@192.0.2.7>;tag=long',
      `To: <sip:recorder@192.0.2.200>${toTag}`,
      'Call-ID: long@192.0.2.7',
      `CSeq: ${seq} ${method}`,
      'Contact: <sip:sbc@192.0.2.7>',
      'Content-Length: 0',
    ];
    sent = [];
    deliver(parseMessage(Buffer.from(lines.join('\r\n') + '\r\n\r\n')), FLOW, endpoint);
    surroundings.settle();
    return sent.find((text) => text.startsWith('SIP/2.0 2')) ?? '';
  };
  const last = 2 ** 31 - 1;
  let seq = last - REFRESHES - 1;
  toTag = /^To:.*(;tag=\w+)/m.exec(send('INVITE', seq))?.[1] ?? '';
  expect(toTag).not.toBe('');
  send('ACK', seq);
  for (let i = 0; i < REFRESHES; i++) {
    surroundings.timers.advance(REFRESH_MS);
    expect(endpoint.stats()).toMatchObject({ liveDialogs: 1, liveTransactions: 0, pendingRequests: 0 });
    expect(surroundings.timers.pending).toBe(0);
    expect(send('INVITE', ++seq)).toContain(`CSeq: ${seq} INVITE`);
    send('ACK', seq);
  }
  expect(surroundings.timers.nowMs).toBe(100 * 24 * 3_600_000);
  expect(send('BYE', last)).toContain(`CSeq: ${last} BYE`);
  surroundings.timers.advance(64_000);
  expect(endpoint.stats()).toMatchObject({ liveDialogs: 0, liveTransactions: 0, internalErrors: 0 });
});

it('20,000 calls opened and closed leave no dialog, transaction or timer', async () => {
  const fuzzer = await SipFuzzer.start(1);
  for (let i = 0; i < 20_000; i++) {
    fuzzer.goodCall();
    // Vitest wants to hear of its worker now and then.
    if (i % 1000 === 0) await setImmediate();
  }
  expect(fuzzer.endpoint.stats().liveDialogs).toBe(0);
  fuzzer.finish();
}, 300_000);
