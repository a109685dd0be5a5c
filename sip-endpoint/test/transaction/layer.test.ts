import { beforeEach, describe, expect, it } from 'vitest';
import { buildResponse, type HeaderLine } from '../../src/parse/build.ts';
import { headerValue, type SipRequest, type SipResponse } from '../../src/parse/message.ts';
import { parseMessage } from '../../src/parse/parse.ts';
import { writeMessage } from '../../src/parse/build.ts';
import { tagOf } from '../../src/parse/uri.ts';
import type { ClientFailure, OutgoingRequest } from '../../src/transaction/client.ts';
import { TransactionLayer } from '../../src/transaction/layer.ts';
import type { ServerTransaction } from '../../src/transaction/server.ts';
import type { Flow, Proto } from '../../src/transport/flow.ts';
import { FakeTimers } from '../support/fake-timers.ts';

const flowOf = (proto: Proto): Flow => ({
  proto,
  remoteAddress: '192.0.2.1',
  remotePort: 5070,
  localAddress: '192.0.2.9',
  localPort: 5060,
  connection: undefined,
});
const UDP = flowOf('udp');
const TCP = flowOf('tcp');

let timers: FakeTimers;
let sent: string[];
let transactions: ServerTransaction[];
let acks: SipRequest[];
let cancelled: ServerTransaction[];
let layer: TransactionLayer;

beforeEach(() => {
  timers = new FakeTimers();
  sent = [];
  transactions = [];
  acks = [];
  cancelled = [];
  layer = new TransactionLayer(
    {
      timers,
      send: (bytes) => void sent.push(bytes.toString('latin1')),
      onSent: () => undefined,
      onRetransmitted: () => undefined,
      maxTransactions: 5,
    },
    {
      onRequest: (transaction) => void transactions.push(transaction),
      onAck: (ack) => void acks.push(ack),
      onCancel: (invite) => void cancelled.push(invite),
    },
  );
});

interface RequestOptions {
  readonly method: string;
  readonly branch?: string;
  readonly seq?: number;
  readonly callId?: string;
  readonly toTag?: string;
}

function request({
  method,
  branch = 'z9hG4bK1',
  seq = 1,
  callId = 'c@x',
  toTag,
}: RequestOptions): SipRequest {
  const bytes = writeMessage(`${method} sip:a@b SIP/2.0`, [
    ['Via', `SIP/2.0/UDP 192.0.2.1:5070;branch=${branch}`],
    ['From', '<sip:c@d>;tag=f'],
    ['To', `<sip:a@b>${toTag === undefined ? '' : `;tag=${toTag}`}`],
    ['Call-ID', callId],
    ['CSeq', `${seq} ${method}`],
    ['Contact', '<sip:c@192.0.2.1>'],
  ]);
  const result = parseMessage(bytes);
  if (!result.ok || result.message.kind !== 'request') throw new Error('bad fixture');
  return result.message;
}

const statuses = (): string[] => sent.map((text) => text.split(' ')[1] ?? '');
const only = (): ServerTransaction => {
  const [first] = transactions;
  if (first === undefined) throw new Error('no transaction');
  return first;
};

describe('an INVITE server transaction', () => {
  it('sends 100 at once, and repeats its last answer when the INVITE is repeated', () => {
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    expect(statuses()).toEqual(['100']);
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    layer.respond(only(), 180, 'Ringing');
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    expect(statuses()).toEqual(['100', '100', '180', '180']);
    expect(transactions).toHaveLength(1);
  });

  it('repeats a refusal at T1 doubling to T2 until the ACK (timer G), then absorbs ACKs for T4 (timer I)', () => {
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    layer.respond(only(), 486, 'Busy Here');
    timers.advance(500 + 1000 + 2000 + 4000 + 4000);
    expect(statuses().filter((status) => status === '486')).toHaveLength(6);
    layer.receiveRequest(request({ method: 'ACK' }), UDP);
    timers.advance(4999);
    expect(layer.size).toBe(1);
    expect(acks).toEqual([]);
    timers.advance(1);
    expect(layer.size).toBe(0);
    expect(statuses().filter((status) => status === '486')).toHaveLength(6);
    expect(timers.pending).toBe(0);
  });

  it('gives up after 64*T1 without ACK (timer H), and repeats nothing over TCP', () => {
    layer.receiveRequest(request({ method: 'INVITE' }), TCP);
    layer.respond(only(), 486, 'Busy Here');
    timers.advance(31_999);
    expect(statuses()).toEqual(['100', '486']);
    expect(layer.size).toBe(1);
    timers.advance(1);
    expect(layer.size).toBe(0);
  });

  it('leaves a 2xx and its ACK to the dialog, and absorbs late INVITEs meanwhile (RFC 6026)', () => {
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    layer.respond(only(), 200, 'OK');
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    timers.advance(10_000);
    expect(statuses()).toEqual(['100', '200']);
    layer.receiveRequest(request({ method: 'ACK', branch: 'z9hG4bKother', toTag: 't' }), UDP);
    layer.receiveRequest(request({ method: 'ACK' }), UDP);
    expect(acks).toHaveLength(2);
    timers.advance(22_000);
    expect(layer.size).toBe(0);
  });

  it('sends no second final answer', () => {
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    layer.respond(only(), 200, 'OK');
    const bytes = buildResponse(only().request, { status: 486, reason: 'Busy Here' });
    expect(layer.respondBytes(only(), 486, bytes)).toBe(false);
    expect(statuses()).toEqual(['100', '200']);
  });
});

describe('a non-INVITE server transaction', () => {
  it('absorbs repeats while it has no answer, then repeats the answer for 64*T1 (timer J)', () => {
    layer.receiveRequest(request({ method: 'OPTIONS' }), UDP);
    layer.receiveRequest(request({ method: 'OPTIONS' }), UDP);
    expect(sent).toEqual([]);
    layer.respond(only(), 200, 'OK');
    layer.receiveRequest(request({ method: 'OPTIONS' }), UDP);
    expect(statuses()).toEqual(['200', '200']);
    expect(sent[0]).toBe(sent[1]);
    timers.advance(31_999);
    expect(layer.size).toBe(1);
    timers.advance(1);
    expect(layer.size).toBe(0);
  });

  it('ends at once over TCP', () => {
    layer.receiveRequest(request({ method: 'OPTIONS' }), TCP);
    layer.respond(only(), 200, 'OK');
    expect(layer.size).toBe(0);
  });
});

describe('CANCEL', () => {
  it('is answered 200 with the To tag of the INVITE, and reaches the INVITE it names', () => {
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    layer.receiveRequest(request({ method: 'CANCEL' }), UDP);
    expect(cancelled).toEqual([only()]);
    layer.respond(only(), 487, 'Request Terminated');
    const tags = sent.slice(1).map((text) => /To: .*;tag=(\w+)/.exec(text)?.[1]);
    expect(tags[0]).toBeDefined();
    expect(tags[0]).toBe(tags[1]);
  });

  it('has no effect on an INVITE that is answered, and gets 481 where there is none', () => {
    layer.receiveRequest(request({ method: 'INVITE' }), UDP);
    layer.respond(only(), 200, 'OK');
    layer.receiveRequest(request({ method: 'CANCEL' }), UDP);
    layer.receiveRequest(request({ method: 'CANCEL', branch: 'z9hG4bKnone' }), UDP);
    expect(statuses()).toEqual(['100', '200', '200', '481']);
    expect(cancelled).toEqual([]);
  });
});

describe('requests that are not what they seem', () => {
  it('over two paths at once get 482 on the second (RFC 3261 section 8.2.2.2)', () => {
    layer.receiveRequest(request({ method: 'INVITE', branch: 'z9hG4bKa' }), UDP);
    layer.receiveRequest(request({ method: 'INVITE', branch: 'z9hG4bKb' }), UDP);
    expect(statuses()).toEqual(['100', '482']);
    expect(transactions).toHaveLength(1);
  });

  it('without the magic cookie are told apart by Call-ID and CSeq', () => {
    layer.receiveRequest(request({ method: 'OPTIONS', branch: '1', seq: 1 }), UDP);
    layer.receiveRequest(request({ method: 'OPTIONS', branch: '1', seq: 2 }), UDP);
    layer.receiveRequest(request({ method: 'OPTIONS', branch: '1', seq: 2 }), UDP);
    expect(transactions).toHaveLength(2);
  });

  it('beyond the limit get 503 without state, with the same To tag each time', () => {
    for (let i = 0; i < 5; i++)
      layer.receiveRequest(request({ method: 'OPTIONS', branch: `z9hG4bK${i}`, seq: i + 1 }), UDP);
    layer.receiveRequest(request({ method: 'OPTIONS', branch: 'z9hG4bKx', seq: 9 }), UDP);
    layer.receiveRequest(request({ method: 'OPTIONS', branch: 'z9hG4bKx', seq: 9 }), UDP);
    expect(statuses()).toEqual(['503', '503']);
    expect(sent[0]).toBe(sent[1]);
    expect(layer.size).toBe(5);
  });
});

describe('client transactions', () => {
  let heard: (number | ClientFailure)[];
  const BRANCH = 'z9hG4bKours';

  function start(method: string, proto: Proto): void {
    heard = [];
    const headers: HeaderLine[] = [
      ['Via', `SIP/2.0/${proto.toUpperCase()} 192.0.2.9;branch=${BRANCH}`],
      ['Max-Forwards', '70'],
      ['Route', '<sip:proxy;lr>'],
      ['From', '<sip:a@b>;tag=t'],
      ['To', '<sip:c@d>;tag=f'],
      ['Call-ID', 'c@x'],
      ['CSeq', `3 ${method}`],
      ['X-Other', '1'],
    ];
    const target = { proto, host: '192.0.2.1', port: 5070, connection: undefined };
    const outgoing: OutgoingRequest = {
      method,
      uri: 'sip:c@d',
      headers,
      body: Buffer.alloc(0),
      branch: BRANCH,
      target,
    };
    layer
      .client(outgoing, {
        onResponse: (response) => void heard.push(response.status),
        onFailure: (failure) => void heard.push(failure),
      })
      .start();
  }

  function answer(status: number, method: string, branch = BRANCH): void {
    const bytes = writeMessage(`SIP/2.0 ${status} X`, [
      ['Via', `SIP/2.0/UDP 192.0.2.9;branch=${branch}`],
      ['From', '<sip:a@b>;tag=t'],
      ['To', '<sip:c@d>;tag=fromAnswer'],
      ['Call-ID', 'c@x'],
      ['CSeq', `3 ${method}`],
    ]);
    const result = parseMessage(bytes);
    if (!result.ok) throw new Error('bad fixture');
    layer.receiveResponse(result.message as SipResponse, UDP);
  }

  it('repeat a BYE at T1 doubling to T2 (timer E) and fail after 64*T1 (timer F)', () => {
    start('BYE', 'udp');
    timers.advance(500 + 1000 + 2000 + 4000 + 4000);
    expect(sent).toHaveLength(6);
    timers.advance(32_000);
    expect(heard).toEqual(['timeout']);
    expect(sent).toHaveLength(11);
    expect(layer.size).toBe(0);
  });

  it('take one final answer and absorb its repeats for T4 (timer K)', () => {
    start('BYE', 'udp');
    answer(200, 'BYE');
    answer(200, 'BYE');
    timers.advance(4999);
    expect(layer.size).toBe(1);
    timers.advance(1);
    expect([heard, sent.length, layer.size]).toEqual([[200], 1, 0]);
  });

  it('ignore answers to another branch or method', () => {
    start('BYE', 'udp');
    answer(200, 'BYE', 'z9hG4bKnot');
    answer(200, 'INVITE');
    expect(heard).toEqual([]);
  });

  it('repeat nothing over TCP', () => {
    start('BYE', 'tcp');
    timers.advance(31_999);
    expect(sent).toHaveLength(1);
    timers.advance(1);
    expect(heard).toEqual(['timeout']);
  });

  it('repeat an INVITE with doubling intervals until a provisional answer (timer A)', () => {
    start('INVITE', 'udp');
    timers.advance(500 + 1000 + 2000);
    expect(sent).toHaveLength(4);
    answer(180, 'INVITE');
    timers.advance(60_000);
    expect(sent).toHaveLength(4);
    expect(heard).toEqual([180]);
  });

  it('acknowledge a refused INVITE themselves, again for each repeat (timer D)', () => {
    start('INVITE', 'udp');
    answer(486, 'INVITE');
    answer(486, 'INVITE');
    expect(heard).toEqual([486]);
    const result = parseMessage(Buffer.from(sent.at(-1) ?? ''));
    if (!result.ok || result.message.kind !== 'request') throw new Error('no ACK');
    expect(result.message).toMatchObject({ method: 'ACK', uri: 'sip:c@d', cseq: { seq: 3, method: 'ACK' } });
    expect(result.message.via.params.get('branch')).toBe(BRANCH);
    expect(tagOf(result.message.to)).toBe('fromAnswer');
    expect(headerValue(result.message.headers, 'route')).toBe('<sip:proxy;lr>');
    expect(headerValue(result.message.headers, 'x-other')).toBeUndefined();
    expect(sent.filter((text) => text.startsWith('ACK'))).toHaveLength(2);
    timers.advance(32_000);
    expect(layer.size).toBe(0);
  });

  it('pass every repeated 2xx of an INVITE up, since its ACK is the dialog’s', () => {
    start('INVITE', 'udp');
    answer(200, 'INVITE');
    answer(200, 'INVITE');
    expect(heard).toEqual([200, 200]);
    expect(sent).toHaveLength(1);
  });

  it('give an INVITE up when it stays at a provisional answer for three minutes', () => {
    start('INVITE', 'udp');
    answer(180, 'INVITE');
    timers.advance(180_000);
    expect(heard).toEqual([180, 'timeout']);
    expect([layer.size, timers.pending]).toEqual([0, 0]);
  });
});
