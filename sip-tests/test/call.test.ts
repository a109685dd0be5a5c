import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeAlaw, decodeMulaw, mixMulaw } from '../src/audio.ts';
import { type CallOptions, DemoCall } from '../src/call.ts';
import { type Dialogue, loadDialogue } from '../src/dialogue.ts';
import { RtpPacer } from '../src/rtp-sender.ts';
import { SipClient } from '../src/sip-client.ts';
import { header } from '../src/sip-message.ts';
import type { TransportName } from '../src/sip-transport.ts';
import { type AnsweredCall, type Behaviour, FakeUas } from './fake-uas.ts';

const PACKET_MS = 20;
const billing = loadDialogue('billing');

/** The first moments of a real dialogue: what is tested at full length elsewhere need not be here. */
function shortened(durationMs: number): Dialogue {
  const party = (which: 'agent' | 'customer') => ({
    ...billing.parties[which],
    mulaw: billing.parties[which].mulaw.subarray(8 * 400, 8 * (400 + durationMs)),
  });
  return { ...billing, durationMs, parties: { agent: party('agent'), customer: party('customer') } };
}

let pacer: RtpPacer;
beforeEach(() => {
  pacer = new RtpPacer();
});
afterEach(() => {
  pacer.stop();
});

async function callWith(
  transport: TransportName,
  behaviour: Behaviour,
  options: Partial<CallOptions>,
  during: (call: DemoCall, uas: FakeUas) => Promise<void> = async () => undefined,
) {
  const uas = await FakeUas.open(transport, behaviour);
  const client = await SipClient.open({ server: uas.address, transport, timeoutMs: 5000 });
  const call = new DemoCall({ client, pacer, dialogue: shortened(600), codec: 'pcmu', ...options });
  const running = call.run();
  await during(call, uas);
  const result = await running;
  return {
    result,
    uas,
    close: async () => {
      await client.close();
      await uas[Symbol.asyncDispose]();
    },
  };
}

/** All payload of a stream once this many packets arrived. */
async function received(uas: FakeUas, call: AnsweredCall, index: number, packets: number): Promise<Buffer> {
  await uas.until(() => (call.streams[index]?.payload.length ?? 0) >= packets);
  expect(call.streams[index]?.payload).toHaveLength(packets);
  return Buffer.concat(call.streams[index]?.payload ?? []);
}

describe.each(['udp', 'tcp'] as const)('a SIPREC call over %s', (transport) => {
  it('speaks both voices to their end, byte for byte, and hangs up', async () => {
    const dialogue = shortened(600);
    const { result, uas, close } = await callWith(transport, {}, { dialogue });
    const call = uas.onlyCall;
    expect(result).toMatchObject({ answered: true, failure: undefined, dialogue: 'billing' });
    expect(result.setupMs).toBeGreaterThan(0);
    expect(result.callId).toBe(header(call.invite, 'call-id'));
    expect(call.ended).toBe(true);
    expect(await received(uas, call, 0, 600 / PACKET_MS)).toEqual(Buffer.from(dialogue.parties.agent.mulaw));
    expect(await received(uas, call, 1, 600 / PACKET_MS)).toEqual(
      Buffer.from(dialogue.parties.customer.mulaw),
    );
    expect(
      result.streams.map(({ label, packetsSent, ssrc, remotePort }) => ({
        label,
        packetsSent,
        ssrc,
        remotePort,
      })),
    ).toEqual(
      call.streams.map(({ label, packets, port }) => ({
        label,
        packetsSent: packets.length,
        ssrc: packets[0]?.ssrc,
        remotePort: port,
      })),
    );
    await close();
  });

  it('is a failure when the other side hangs up early, with its reason', async () => {
    const { result, close } = await callWith(transport, { byeAfterPackets: 10 }, { seconds: 60 });
    expect(result.failure).toMatchObject({ code: 'hung-up' });
    expect(result.failure?.message).toContain('drained');
    await close();
  });
});

describe('a call', () => {
  it('says it is SIPREC in its headers', async () => {
    const { uas, close } = await callWith('udp', {}, { seconds: 0.1, callReference: 'ref-7' });
    const { invite } = uas.onlyCall;
    expect(header(invite, 'require')).toBe('siprec');
    expect(header(invite, 'contact')).toMatch(/>;\+sip\.src$/);
    expect(header(invite, 'content-type')).toMatch(/^multipart\/mixed/);
    expect(header(invite, 'x-call-id')).toBe('ref-7');
    await close();
  });

  it('reports when it sent what, to the port after that of the audio', async () => {
    const { uas, close } = await callWith('udp', {}, { seconds: 0.2 });
    const [stream] = uas.onlyCall.streams;
    await uas.until(() => stream?.senderReports.length === 1);
    const report = stream?.senderReports[0];
    const first = stream?.packets[0];
    expect(report?.[1]).toBe(200);
    expect(report?.readUInt32BE(4)).toBe(first?.ssrc);
    // Both clocks at one instant, within a packet of the first one.
    expect(((report?.readUInt32BE(16) ?? 0) - (first?.timestamp ?? 0)) >>> 0).toBeLessThan(8 * 200);
    await close();
  });

  it('sends no reports when told not to', async () => {
    const { uas, close } = await callWith('udp', {}, { seconds: 0.2, rtcp: false });
    await received(uas, uas.onlyCall, 0, 10);
    expect(uas.onlyCall.streams.flatMap(({ senderReports }) => senderReports)).toEqual([]);
    expect(Buffer.from(uas.onlyCall.invite.body).toString()).not.toContain('a=rtcp:');
    await close();
  });

  it('begins the dialogue again when it is to last longer', async () => {
    const dialogue = shortened(200);
    const { uas, close } = await callWith('udp', {}, { dialogue, seconds: 0.5 });
    const heard = await received(uas, uas.onlyCall, 0, 25);
    const voice = Buffer.from(dialogue.parties.agent.mulaw);
    expect(heard).toEqual(Buffer.concat([voice, voice, voice]).subarray(0, 25 * 160));
    await close();
  });

  it('speaks A-law when that is what was answered', async () => {
    const dialogue = shortened(400);
    const { uas, close } = await callWith('udp', { payloadType: 8 }, { dialogue });
    const heard = await received(uas, uas.onlyCall, 0, 20);
    expect(uas.onlyCall.streams[0]?.packets.every(({ payloadType }) => payloadType === 8)).toBe(true);
    expect(heard).toEqual(Buffer.from(encodeAlaw(decodeMulaw(dialogue.parties.agent.mulaw))));
    await close();
  });

  it('can be a plain one with both voices in one stream', async () => {
    const dialogue = shortened(400);
    const { uas, close } = await callWith('udp', {}, { dialogue, kind: 'plain' });
    expect(header(uas.onlyCall.invite, 'require')).toBeUndefined();
    expect(header(uas.onlyCall.invite, 'content-type')).toBe('application/sdp');
    const { agent, customer } = dialogue.parties;
    expect(await received(uas, uas.onlyCall, 0, 20)).toEqual(
      Buffer.from(mixMulaw(agent.mulaw, customer.mulaw)),
    );
    await close();
  });

  it('is ended well by hanging up in the middle', async () => {
    const { result, uas, close } = await callWith('udp', {}, { seconds: 60 }, async (call, other) => {
      await other.until(() => call.packetsSent > 10);
      call.hangUp();
    });
    expect(result.failure).toBeUndefined();
    expect(uas.onlyCall.ended).toBe(true);
    await close();
  });

  it('is cancelled by hanging up while it rings', async () => {
    const { result, uas, close } = await callWith(
      'udp',
      { ringing: true, status: 0 },
      {},
      async (call, other) => {
        await other.until(() => other.heard('INVITE').length > 0);
        call.hangUp();
      },
    );
    expect(result).toMatchObject({ answered: false, setupMs: null, failure: undefined });
    expect(uas.heard('CANCEL')).toHaveLength(1);
    await close();
  });

  it('fails and hangs up when one of two streams is not answered', async () => {
    const { result, uas, close } = await callWith('udp', { mLines: 1 }, {});
    expect(result.failure).toMatchObject({ code: 'bad-answer' });
    expect(result.failure?.message).toContain('1 streams where 2 were offered');
    expect(uas.onlyCall.ended).toBe(true);
    await close();
  });

  it('fails and hangs up when the answered codec is none of G.711', async () => {
    const { result, close } = await callWith('udp', { payloadType: 18 }, {});
    expect(result.failure?.message).toContain('refuses the stream "agent"');
    await close();
  });

  it('loses the packets that it is told to lose and tells how many left', async () => {
    const { result, uas, close } = await callWith(
      'udp',
      {},
      { seconds: 1, impairment: { lossRate: 0.3, seed: 3 }, dialogue: shortened(1000) },
    );
    const sent = result.streams[0]?.packetsSent ?? 0;
    expect(sent).toBeLessThan(50);
    await received(uas, uas.onlyCall, 0, sent);
    const numbers = (uas.onlyCall.streams[0]?.packets ?? []).map(({ timestamp }) => timestamp);
    // The timestamps of what is missing are left out, not closed up.
    expect(
      new Set(numbers.map((timestamp, i) => (timestamp - (numbers[i - 1] ?? timestamp - 160)) >>> 0)).size,
    ).toBeGreaterThan(1);
    await close();
  });
});
