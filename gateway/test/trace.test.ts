import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { newCallId, TRACE_TEXT_CHARS, type CallId, type TraceEntry } from '@earshot/contracts';
import { TraceBook, type SeenMessage, type TracedCall } from '../src/trace/book.ts';
import { maskSecrets } from '../src/trace/mask.ts';
import { sdpOf } from './support/bodies.ts';
import { Rig } from './support/rig.ts';
import { until } from './support/until.ts';

const message = (...lines: string[]): string => lines.join('\r\n');

describe('masking', () => {
  test('takes keys, digests, passwords and pressed keys out, and leaves what a fault is found by', () => {
    const raw = message(
      'INVITE sip:7:pin99@192.0.2.1 SIP/2.0',
      'Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKx',
      'Authorization: Digest username="trunk7", realm="a, b", nonce="n0nce", uri="sip:192.0.2.1",',
      '  response="d1gest", cnonce="cn0nce", qop=auth, nc=00000001',
      'Proxy-Authorization: Basic c2VjcmV0',
      'WWW-Authenticate: Digest realm="x", nonce="n1nce", stale=true',
      'Authentication-Info: nextnonce="n2nce", qop=auth, rspauth="resp1"',
      'X-Api-Key: k3yk3y',
      'Content-Type: application/sdp',
      '',
      'v=0',
      'k=clear:s1psecret',
      'm=audio 20000 RTP/SAVP 0',
      'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:firstKey|2^20|1:4;inline:secondKey|2^20|2:4 KDR=1',
      '  a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:indentedKey|2^20',
      'a=key-mgmt:mikey AQAFgM',
      'a=label:1',
      '',
    );
    expect(maskSecrets(raw)).toBe(
      message(
        'INVITE sip:7:***@192.0.2.1 SIP/2.0',
        'Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKx',
        'Authorization: Digest username="trunk7", realm="a, b", nonce=***, uri="sip:192.0.2.1", response=***, cnonce=***, qop=auth, nc=00000001',
        'Proxy-Authorization: Basic ***',
        'WWW-Authenticate: Digest realm="x", nonce=***, stale=true',
        'Authentication-Info: nextnonce=***, qop=auth, rspauth=***',
        'X-Api-Key: ***',
        'Content-Type: application/sdp',
        '',
        'v=0',
        'k=***',
        'm=audio 20000 RTP/SAVP 0',
        'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20|1:4;inline:***|2^20|2:4 KDR=1',
        '  a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:***|2^20',
        'a=key-mgmt:mikey ***',
        'a=label:1',
        '',
      ),
    );
  });

  test('leaves no pressed key and no encoded body', () => {
    const info = (type: string, body: string): string =>
      maskSecrets(message('INFO sip:1 SIP/2.0', `Content-Type: ${type}`, '', body));
    expect(info('application/dtmf-relay', 'Signal=5\r\nDuration=160')).not.toContain('5');
    expect(info('application/dtmf', '7')).not.toMatch(/7/);
    expect(info('text/plain', 'Signal = 5')).toContain('Signal = ***');
    expect(info('application/kpml-response+xml', '<kpml-response digits="4711"/>')).not.toContain('4711');
    expect(
      info(
        'multipart/mixed;boundary=b',
        '--b\r\nContent-Transfer-Encoding: base64\r\n\r\nYT1jcnlwdG8=\r\n--b--',
      ),
    ).not.toContain('YT1');
    expect(info('application/sdp', 'v=0')).toContain('v=0');
    expect(info('message/sipfrag', 'INVITE sip:1 SIP/2.0\r\nAuthorization: Basic c2VjcmV0')).not.toContain(
      'c2V',
    );
  });

  test('never fails, and never leaves a key, whatever stands around it', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9+/]{12,40}$/);
    fc.assert(
      fc.property(fc.string(), fc.string(), word, fc.nat(3), (before, after, secret, place) => {
        const clean = (text: string): string => text.replaceAll(secret, '');
        const line = [
          `Authorization: Digest username="a", response="${secret}"`,
          `Authorization: ${secret}`,
          `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${secret}`,
          `k=base64:${secret}`,
        ][place]!;
        const isBody = place > 1;
        const raw = isBody
          ? `INVITE sip:1 SIP/2.0\r\nX: ${clean(before)}\r\n\r\nv=0\r\n${line}\r\n${clean(after)}`
          : `INVITE sip:1 SIP/2.0\r\n${line}\r\nX: ${clean(before)}\r\n\r\n${clean(after)}`;
        expect(maskSecrets(raw)).not.toContain(secret);
        maskSecrets(before + after);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the book', () => {
  const zero = { wallMs: 0, monoUs: 1_000_000 };
  const call = (n: number): TracedCall => ({ callId: newCallId(n, new Uint8Array(10)), zero });
  const seen = (dialogId: string, atUs: number, text = `M ${atUs}`): SeenMessage => ({
    dialogId,
    atUs: zero.monoUs + atUs,
    direction: 'in',
    transport: '',
    local: null,
    remote: null,
    text,
  });
  const heard = (book: TraceBook, nowUs = 0): Map<CallId, readonly TraceEntry[]> => {
    const all = new Map<CallId, readonly TraceEntry[]>();
    book.flush(zero.monoUs + nowUs, (callId, entries) => all.set(callId, entries).size > 0);
    return all;
  };

  test('keeps an INVITE until its call is known, and one of a refused call not at all', () => {
    const one = call(1);
    const known = new Map<string, TracedCall>();
    const book = new TraceBook((dialogId) => known.get(dialogId) ?? null);
    book.take({ ...seen('a', -30), transport: 'udp', local: '192.0.2.1:5060', remote: '192.0.2.7:5060' });
    book.take(seen('refused', 0));
    expect(heard(book)).toEqual(new Map());
    known.set('a', one);
    book.take(seen('a', 500));
    const entries = heard(book).get(one.callId)!;
    expect(entries.map(({ atUs }) => atUs)).toEqual([0, 500]);
    expect(entries[1]).toMatchObject({ transport: 'udp', local: '192.0.2.1:5060', remote: '192.0.2.7:5060' });
    heard(book, 60_000_000);
    const two = call(2);
    known.set('refused', two);
    book.take(seen('refused', 60_000_000));
    expect(
      heard(book, 60_000_001)
        .get(two.callId)!
        .map(({ atUs }) => atUs),
    ).toEqual([60_000_000]);
  });

  test('names messages of one instant apart, puts them in order, and is one for all dialogs of a call', () => {
    const one = call(1);
    const book = new TraceBook(() => one);
    for (const dialogId of ['a', 'b']) for (const at of [70, 50, 50]) book.take(seen(dialogId, at));
    expect(
      heard(book)
        .get(one.callId)!
        .map(({ atUs }) => atUs),
    ).toEqual([50, 51, 52, 53, 70, 71]);
  });

  test('tells of a call that has gone, and forgets it then', () => {
    const one = call(1);
    let known = true;
    const book = new TraceBook(() => (known ? one : null));
    book.take(seen('a', 0));
    known = false;
    book.take(seen('a', 1000));
    expect(heard(book).get(one.callId)).toHaveLength(2);
    heard(book, 60_000_000);
    book.take(seen('a', 61_000_000));
    expect(heard(book, 61_000_000)).toEqual(new Map());
  });

  test('holds a bounded number of messages of calls that nobody knows, the newest', () => {
    const known = new Map<string, TracedCall>();
    const book = new TraceBook((dialogId) => known.get(dialogId) ?? null);
    for (let n = 0; n < 3000; n++) book.take(seen(`d${n}`, n));
    const [old, young] = [call(1), call(2)];
    known.set('d1000', old);
    known.set('d2500', young);
    const told = heard(book);
    expect([told.has(old.callId), told.has(young.callId)]).toEqual([false, true]);
    for (let n = 3000; n < 3100; n++) book.take(seen(`d${n}`, n, 'x'.repeat(1_000_000)));
    known.set('d3050', old);
    known.set('d3099', call(3));
    const then = heard(book);
    expect([then.has(old.callId), then.has(known.get('d3099')!.callId)]).toEqual([false, true]);
  });

  test('holds a bounded number of messages while nobody takes them, and counts the rest', () => {
    const one = call(1);
    const book = new TraceBook(() => one);
    for (let n = 0; n < 1000; n++) book.take(seen('a', n, n === 0 ? 'x'.repeat(50_000) : `M ${n}`));
    book.flush(0, () => false);
    const entries = heard(book).get(one.callId)!;
    expect(entries.length + entries.reduce((sum, { omitted }) => sum + omitted, 0)).toBe(1000);
    expect(entries.length).toBeLessThan(30);
    expect(entries[0]!.text.length).toBeLessThanOrEqual(TRACE_TEXT_CHARS);
    expect(entries[0]!.text).toMatch(/50000 characters in all/);
    expect(entries.at(-1)!.text).toBe('M 999');
    expect(heard(book)).toEqual(new Map());
  });
});

describe('a call', () => {
  let rig: Rig | null = null;
  afterEach(async () => {
    await rig?.stop();
    rig = null;
  });
  const traceOf = (on: Rig): TraceEntry[] =>
    on.transcripts
      .of('call.trace')
      .flatMap(({ entries }) => entries)
      .sort((a, b) => a.atUs - b.atUs);
  const first = ({ direction, text }: TraceEntry): string => `${direction} ${text.split('\r\n')[0]}`;

  test('has its messages told to transcripts, in the order in which they went, after it was announced', async () => {
    rig = await Rig.start();
    const on = rig;
    const client = await rig.client();
    const dialog = client.dialog();
    await dialog.invite({
      body: sdpOf([{}]),
      headers: ['Authorization: Digest username="u", response="0123"'],
    });
    await dialog.bye();
    const expected = [
      expect.stringMatching(/^in INVITE /),
      'out SIP/2.0 200 OK',
      expect.stringMatching(/^in ACK /),
      expect.stringMatching(/^in BYE /),
      'out SIP/2.0 200 OK',
    ];
    await until('the whole trace', () => traceOf(on).length >= expected.length);
    const trace = traceOf(rig);
    expect(trace.map(first)).toEqual(expected);
    expect(trace[0]!.text).toContain('response=***');
    expect(trace[0]!.text).toContain('m=audio');
    expect(trace[1]!.text).toMatch(/To: .*;tag=/);
    for (const { transport, remote } of trace) {
      expect([transport, remote]).toEqual(['udp', `127.0.0.1:${client.port}`]);
    }
    const types = rig.transcripts.messages.map(({ type }) => type);
    expect(types.indexOf('call.started')).toBeLessThan(types.indexOf('call.trace'));
  });

  test('of two dialogs has one trace with the messages of both', async () => {
    rig = await Rig.start();
    const on = rig;
    const client = await rig.client();
    for (const [side, port] of [
      ['nearend', 30_000],
      ['farend', 31_000],
    ] as const) {
      const dialog = client.dialog();
      dialog.from = `<sip:1001@cucm.example.test;x-${side};x-refci=7;x-nearendrefci=7>`;
      await dialog.invite({ body: '', contentType: null }, sdpOf([{ label: null, port }]));
    }
    await until('both dialogs', () => traceOf(on).filter(({ text }) => text.startsWith('ACK')).length === 2);
    expect(new Set(rig.transcripts.of('call.trace').map(({ callId }) => callId)).size).toBe(1);
    expect(traceOf(rig).filter(({ text }) => text.startsWith('INVITE'))).toHaveLength(2);
  });

  test('that we end has our BYE and its answer in the trace', async () => {
    rig = await Rig.start();
    const on = rig;
    const dialog = (await rig.client()).dialog();
    await dialog.invite({ body: sdpOf([{}]) });
    const [media] = rig.media;
    media!.send({ type: 'leg.timeout', legId: [...media!.legs.keys()][0]! });
    await dialog.incoming('BYE');
    await until('the answer', () => traceOf(on).some((entry) => first(entry).startsWith('in SIP/2.0 200')));
    // The ACK may be slower than the time-out of this test.
    const ours = traceOf(rig).filter((entry) => !/ (INVITE|ACK) /.test(first(entry)));
    expect(ours.map(first)).toEqual([
      'out SIP/2.0 200 OK',
      expect.stringMatching(/^out BYE /),
      expect.stringMatching(/^in SIP\/2\.0 200 /),
    ]);
  });
});
