import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import { branchOf, cseqOf, header } from '../src/sip-message.ts';
import { SipClient, type SipClientOptions } from '../src/sip-client.ts';
import { SipFailure } from '../src/sip-transaction.ts';
import type { TransportName } from '../src/sip-transport.ts';
import { type Behaviour, FakeUas } from './fake-uas.ts';

const offer =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n';
const call = {
  to: 'sip:recorder@127.0.0.1',
  from: '"Test" <sip:test@127.0.0.1>',
  contentType: 'application/sdp',
  body: offer,
};

const transports: TransportName[] = ['udp', 'tcp'];

async function withUas(
  transport: TransportName,
  behaviour: Behaviour,
  test: (client: SipClient, uas: FakeUas) => Promise<void>,
  options: Partial<SipClientOptions> = {},
): Promise<void> {
  await using uas = await FakeUas.open(transport, behaviour);
  const client = await SipClient.open({
    server: uas.address,
    transport,
    t1Ms: 30,
    timeoutMs: 10_000,
    ...options,
  });
  try {
    await test(client, uas);
  } finally {
    await client.close();
  }
}

async function failureOf(promise: Promise<unknown>): Promise<SipFailure> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(outcome instanceof SipFailure)) throw new Error('The request did not fail as SIP requests do');
  return outcome;
}

describe.each(transports)('a SIP caller over %s', (transport) => {
  it('calls, acknowledges, offers anew and hangs up in one dialog', () =>
    withUas(transport, { ringing: true }, async (client, uas) => {
      const dialog = await client.invite(call);
      expect(Buffer.from(dialog.answer.body).toString()).toContain('m=audio');
      await dialog.reinvite('application/sdp', offer.replace('0 0\r\nm=', '0 0\r\na=inactive\r\nm='));
      expect(await dialog.bye()).toEqual({ by: 'us' });
      await uas.until(() => uas.heard('ACK').length === 2 && uas.heard('BYE').length === 1);
      const [first, again] = uas.heard('INVITE');
      const [bye] = uas.heard('BYE');
      if (!first || !again || !bye) throw new Error('not all came');
      expect(header(first, 'to')).not.toContain('tag=');
      expect(Buffer.from(again.body).toString()).toContain('a=inactive');
      for (const inDialog of [again, bye]) {
        expect(header(inDialog, 'call-id')).toBe(header(first, 'call-id'));
        expect(header(inDialog, 'from')).toBe(header(first, 'from'));
        expect(header(inDialog, 'to')).toContain('tag=uas');
        expect(inDialog.uri).toBe(`sip:recorder@127.0.0.1:${uas.address.port}`);
      }
      expect([first, again, bye].map((request) => cseqOf(request)?.number)).toEqual([1, 2, 3]);
      expect(uas.heard('ACK').map((ack) => cseqOf(ack)?.number)).toEqual([1, 2]);
    }));

  it('is asked with OPTIONS and answers with the status', () =>
    withUas(transport, {}, async (client) => {
      expect((await client.options()).status).toBe(200);
    }));

  it('fails with the status and Retry-After of a refusal, and acknowledges it', () =>
    withUas(
      transport,
      { status: 503, reason: 'Service Unavailable', headers: [['Retry-After', '7']] },
      async (client, uas) => {
        const failure = await failureOf(client.invite(call));
        expect(failure).toMatchObject({ code: 'rejected', status: 503, retryAfterS: 7 });
        await uas.until(() => uas.heard('ACK').length === 1);
        const [invite] = uas.heard('INVITE');
        const [ack] = uas.heard('ACK');
        // RFC 3261 section 17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction.
        expect(ack && branchOf(ack)).toBe(invite && branchOf(invite));
        expect(ack && header(ack, 'to')).toContain('tag=uas');
      },
    ));

  it('takes a call back with CANCEL while it rings', () =>
    withUas(transport, { ringing: true, status: 0 }, async (client, uas) => {
      const abort = new AbortController();
      const calling = failureOf(client.invite({ ...call, signal: abort.signal }));
      await uas.until(() => uas.heard('INVITE').length === 1);
      abort.abort();
      expect(await calling).toMatchObject({ code: 'cancelled', status: 487 });
      const [invite] = uas.heard('INVITE');
      const [cancel] = uas.heard('CANCEL');
      expect(cancel && branchOf(cancel)).toBe(invite && branchOf(invite));
      expect(cancel && cseqOf(cancel)).toEqual({ number: 1, method: 'CANCEL' });
    }));

  it('hangs up a call that was answered although it had been given up', () =>
    withUas(transport, {}, async (client, uas) => {
      const abort = new AbortController();
      abort.abort();
      expect(await failureOf(client.invite({ ...call, signal: abort.signal }))).toMatchObject({
        code: 'cancelled',
      });
      await uas.until(() => uas.onlyCall.ended);
    }));

  it('gives up when nothing is answered at all', () =>
    withUas(
      transport,
      { status: 0 },
      async (client) => {
        expect(await failureOf(client.invite(call))).toMatchObject({ code: 'timeout', status: undefined });
      },
      { timeoutMs: 300 },
    ));

  it('gives up when it rings for ever', () =>
    withUas(
      transport,
      { status: 0, ringing: true },
      async (client) => {
        expect(await failureOf(client.invite(call))).toMatchObject({ code: 'timeout' });
      },
      { answerTimeoutMs: 300 },
    ));

  it('says at once that nothing listens', async () => {
    const gone = await FakeUas.open(transport);
    await gone[Symbol.asyncDispose]();
    const client = await SipClient.open({ server: gone.address, transport });
    expect(await failureOf(client.invite(call))).toMatchObject({ code: 'unreachable' });
    await client.close();
  });
});

describe('a SIP caller is called back in its dialog', () => {
  it('and repeats its answer to a new offer until that is acknowledged', () =>
    withUas('udp', {}, async (client, uas) => {
      const dialog = await client.invite(call);
      uas.request(uas.onlyCall, 'INVITE', 1);
      await uas.until(() => uas.responses.length === 3);
      uas.request(uas.onlyCall, 'ACK', 1);
      // OPTIONS comes after the ACK on the same way: once it is answered the ACK was heard.
      uas.request(uas.onlyCall, 'OPTIONS', 2);
      await uas.until(() => uas.responses.some((response) => cseqOf(response)?.method === 'OPTIONS'));
      const answers = uas.responses.filter((response) => cseqOf(response)?.method === 'INVITE');
      expect(answers[0]?.status).toBe(200);
      expect(Buffer.from(answers[0]?.body ?? []).toString()).toBe(offer);
      await dialog.bye();
      expect(uas.responses.filter((response) => cseqOf(response)?.method === 'INVITE')).toHaveLength(
        answers.length,
      );
    }));

  it('and answers what it knows, refuses what it does not, and what is no longer there', () =>
    withUas('udp', {}, async (client, uas) => {
      const dialog = await client.invite(call);
      const statusOf = async (method: string, sequence: number) => {
        uas.request(uas.onlyCall, method, sequence);
        const found = () => uas.responses.find((response) => cseqOf(response)?.number === sequence);
        await uas.until(() => found() !== undefined);
        return found()?.status;
      };
      expect(await statusOf('UPDATE', 11)).toBe(200);
      expect(await statusOf('MESSAGE', 12)).toBe(405);
      expect(await statusOf('BYE', 13)).toBe(200);
      expect(await dialog.ended).toMatchObject({
        by: 'them',
        reason: expect.stringContaining('drained') as string,
      });
      expect(await statusOf('UPDATE', 14)).toBe(481);
    }));

  it('over a new TCP connection, to the address in its Contact', () =>
    withUas('tcp', {}, async (client, uas) => {
      const dialog = await client.invite(call);
      const [, host, port] = /@([\d.]+):(\d+)/.exec(header(uas.onlyCall.invite, 'contact') ?? '') ?? [];
      const socket = net.connect(Number(port), host ?? '');
      uas.request(uas.onlyCall, 'BYE', 1, (bytes) => socket.write(bytes));
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^SIP\/2\.0 200 /);
      expect(await dialog.ended).toMatchObject({ by: 'them' });
      socket.destroy();
    }));

  it('and connects again when its TCP connection was lost', () =>
    withUas('tcp', {}, async (client, uas) => {
      const dialog = await client.invite(call);
      uas.dropConnections();
      await uas.until(() => uas.connections === 0);
      expect(await dialog.bye()).toEqual({ by: 'us' });
      expect(uas.onlyCall.ended).toBe(true);
    }));
});

describe('a SIP caller over a lossy line', () => {
  it('repeats INVITE and BYE until they are heard', () =>
    withUas('udp', { ignore: { INVITE: 2, BYE: 2 } }, async (client, uas) => {
      const dialog = await client.invite(call);
      expect(await dialog.bye()).toEqual({ by: 'us' });
      expect(uas.onlyCall.ended).toBe(true);
    }));

  it('acknowledges each repetition of an answer', () =>
    withUas('udp', { repeatAnswer: 2 }, async (client, uas) => {
      await client.invite(call);
      await uas.until(() => uas.onlyCall.acks === 3);
    }));

  it('acknowledges each repetition of a refusal', () =>
    withUas('udp', { status: 488, reason: 'Not Acceptable Here', repeatAnswer: 2 }, async (client, uas) => {
      expect(await failureOf(client.invite(call))).toMatchObject({ status: 488 });
      await uas.until(() => uas.onlyCall.acks === 3);
    }));

  it('does not repeat anything over TCP', () =>
    withUas(
      'tcp',
      { status: 0 },
      async (client, uas) => {
        await failureOf(client.invite(call));
        expect(uas.heard('INVITE')).toHaveLength(1);
      },
      { timeoutMs: 500 },
    ));
});
