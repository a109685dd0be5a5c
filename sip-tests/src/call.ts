import { randomUUID } from 'node:crypto';
import { fromMulaw, type G711Codec, mixMulaw, payloadType } from './audio.ts';
import type { Dialogue, Party } from './dialogue.ts';
import type { Impairment } from './impairment.ts';
import { PACKET_MS } from './rtp-packet.ts';
import { type RtpPacer, RtpStream } from './rtp-sender.ts';
import { buildOffer, chosenCodec, parseAnswer } from './sdp.ts';
import type { SipClient } from './sip-client.ts';
import type { DialogEnd, SipDialog } from './sip-dialog.ts';
import { SipFailure } from './sip-transaction.ts';
import { bracketed } from './sip-transport.ts';
import { buildSiprecInvite } from './siprec.ts';

export interface CallOptions {
  client: SipClient;
  pacer: RtpPacer;
  dialogue: Dialogue;
  codec: G711Codec;
  /** Recorded by SIPREC, a stream for each party; or a plain call with both in one stream. */
  kind?: 'siprec' | 'plain';
  /** How long to speak; the dialogue begins again when it ends. Default: once through it. */
  seconds?: number;
  /** Sender reports, every 5 s (default true). */
  rtcp?: boolean;
  impairment?: Impairment;
  /** User part of the request URI (default `recorder`). */
  user?: string;
  /** Becomes X-Call-ID. */
  callReference?: string;
}

export interface CallStream {
  label: string;
  ssrc: number;
  packetsSent: number;
  /** Packets of these that the kernel said nobody took (port unreachable). */
  sendErrors: number;
  /** Epoch milliseconds; null when nothing was sent. */
  firstPacketAtMs: number | null;
  localPort: number;
  remotePort: number;
}

export interface CallResult {
  callId: string;
  dialogue: string;
  answered: boolean;
  /** INVITE to 2xx, in milliseconds; null when the call was not answered. */
  setupMs: number | null;
  /** INVITE to its final answer, whatever that was; null when none came. */
  finalMs: number | null;
  streams: CallStream[];
  /** Why the call did not go as it should; undefined when it did. */
  failure: SipFailure | undefined;
}

interface Leg {
  label: string;
  /** Mu-law. */
  audio: Uint8Array;
  stream: RtpStream;
  remotePort: number;
}

/** One call from INVITE to BYE. `run` does it all; `hangUp` ends it early and well. */
export class DemoCall {
  readonly callId = randomUUID();
  state: 'waiting' | 'inviting' | 'live' | 'ended' | 'failed' = 'waiting';
  readonly #options: CallOptions;
  readonly #abort = new AbortController();
  #legs: Leg[] = [];
  #dialog: SipDialog | undefined;
  #hungUp = false;

  constructor(options: CallOptions) {
    this.#options = options;
  }

  get packetsSent(): number {
    return this.#legs.reduce((sum, leg) => sum + leg.stream.packetsSent, 0);
  }

  /** The dialog while the call is live: for re-INVITEs in tests. */
  get dialog(): SipDialog | undefined {
    return this.#dialog;
  }

  /** Never rejects for what happens on the line: that is in the result. */
  async run(): Promise<CallResult> {
    let setupMs: number | null = null;
    let finalMs: number | null = null;
    let startedMs = 0;
    let failure: SipFailure | undefined;
    try {
      this.state = 'inviting';
      await this.#openLegs();
      startedMs = performance.now();
      const dialog = await this.#invite();
      setupMs = performance.now() - startedMs;
      finalMs = setupMs;
      this.#dialog = dialog;
      this.state = 'live';
      failure = await this.#speak(dialog);
    } catch (error) {
      if (!(error instanceof SipFailure)) throw error;
      if (error.status !== undefined) finalMs ??= performance.now() - startedMs;
      if (!(error.code === 'cancelled' && this.#hungUp)) failure = error;
    } finally {
      await Promise.all(this.#legs.map((leg) => leg.stream.close()));
    }
    this.state = failure === undefined ? 'ended' : 'failed';
    return {
      callId: this.callId,
      dialogue: this.#options.dialogue.name,
      answered: setupMs !== null,
      setupMs,
      finalMs,
      streams: this.#legs.map(({ label, stream, remotePort }) => ({
        label,
        ssrc: stream.ssrc,
        packetsSent: stream.packetsSent,
        sendErrors: stream.sendErrors,
        firstPacketAtMs: stream.firstPacketAtMs ?? null,
        localPort: stream.localPort,
        remotePort,
      })),
      failure,
    };
  }

  /** Ends the call now, by CANCEL or BYE. The result of `run` then tells no failure. */
  hangUp(): void {
    this.#hungUp = true;
    this.#abort.abort();
    for (const leg of this.#legs) leg.stream.stop();
  }

  async #openLegs(): Promise<void> {
    const { client, dialogue, kind = 'siprec' } = this.#options;
    const { agent, customer } = dialogue.parties;
    const voices: [string, Uint8Array][] =
      kind === 'siprec'
        ? [
            ['agent', agent.mulaw],
            ['customer', customer.mulaw],
          ]
        : [['mixed', mixMulaw(agent.mulaw, customer.mulaw)]];
    for (const [label, audio] of voices) {
      const stream = await RtpStream.open(client.local.host);
      this.#legs.push({ label, audio, stream, remotePort: 0 });
    }
  }

  async #invite(): Promise<SipDialog> {
    const {
      client,
      codec,
      dialogue,
      kind = 'siprec',
      user = 'recorder',
      callReference,
      rtcp = true,
    } = this.#options;
    const host = bracketed(client.server.host);
    const us = bracketed(client.local.host);
    const sdp = buildOffer(
      client.local.host,
      this.#legs.map(({ label, stream }) => ({
        port: stream.localPort,
        ...(kind === 'siprec' && { label }),
        ...(rtcp && { rtcpPort: stream.localRtcpPort }),
      })),
      codec,
      'sendonly',
    );
    const common = {
      to: `sip:${user}@${host}:${client.server.port};transport=${client.transport}`,
      from: `"Demo caller" <sip:demo@${us}>`,
      callId: this.callId,
      signal: this.#abort.signal,
    };
    const reference = callReference ?? this.callId;
    if (kind === 'plain') {
      return client.invite({
        ...common,
        headers: [['X-Call-ID', reference]],
        contentType: 'application/sdp',
        body: sdp,
      });
    }
    const party = (which: Party) => ({
      aor: `sip:${dialogue.parties[which].user}@${which === 'agent' ? 'contact-centre' : 'carrier'}.example`,
      name: dialogue.parties[which].name,
      label: which,
    });
    return client.invite({
      ...common,
      ...buildSiprecInvite({
        sdp,
        parties: [party('agent'), party('customer')],
        startedAt: new Date(),
        callReference: reference,
      }),
    });
  }

  /** Streams until the dialogue is over or somebody hangs up; the failure if it was the other side. */
  async #speak(dialog: SipDialog): Promise<SipFailure | undefined> {
    const { dialogue, pacer, seconds = dialogue.durationMs / 1000 } = this.#options;
    const problem = await this.#connectLegs(dialog);
    if (problem !== undefined) {
      await dialog.bye();
      return problem;
    }
    for (const leg of this.#legs) pacer.add(leg.stream);
    const spoken = Promise.all(this.#legs.map((leg) => leg.stream.finished)).then(() => undefined);
    const startedMs = performance.now();
    const end: DialogEnd = (await Promise.race([spoken, dialog.ended])) ?? (await dialog.bye());
    if (end.by === 'failure') return end.failure;
    if (end.by === 'us' || this.#hungUp) return undefined;
    const after = ((performance.now() - startedMs) / 1000).toFixed(1);
    const why = end.reason === undefined ? '' : ` (${end.reason})`;
    return new SipFailure(
      'hung-up',
      `Ended by the other side after ${after} of ${seconds.toFixed(1)} s${why}`,
    );
  }

  async #connectLegs(dialog: SipDialog): Promise<SipFailure | undefined> {
    const { codec, dialogue, rtcp = true, seconds = dialogue.durationMs / 1000, impairment } = this.#options;
    const answered = parseAnswer(Buffer.from(dialog.answer.body).toString('utf8'));
    if (answered?.length !== this.#legs.length) {
      const got = answered === undefined ? 'no SDP' : `${answered.length} streams`;
      return new SipFailure('bad-answer', `The answer has ${got} where ${this.#legs.length} were offered`);
    }
    // Both parties begin at the same instant: a turn's times hold for both streams.
    const startAtMs = performance.now() + PACKET_MS;
    for (const [i, leg] of this.#legs.entries()) {
      const target = answered[i];
      const accepted = target && chosenCodec(target, codec);
      if (target === undefined || accepted === undefined || target.port === 0) {
        return new SipFailure('bad-answer', `The answer refuses the stream "${leg.label}"`);
      }
      leg.remotePort = target.port;
      const { address, port, rtcpPort } = target;
      await leg.stream.connect({ address, port, ...(rtcp && { rtcpPort }) });
      leg.stream.play({
        audio: fromMulaw(leg.audio, accepted),
        payloadType: payloadType[accepted],
        packets: Math.round((seconds * 1000) / PACKET_MS),
        startAtMs,
        cname: this.callId,
        ...(impairment && { impairment: { ...impairment, seed: impairment.seed + i } }),
      });
    }
    return undefined;
  }
}
