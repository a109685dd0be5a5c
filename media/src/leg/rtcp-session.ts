import { randomBytes } from 'node:crypto';
import type { CallZero, ChannelRtcp, StreamQuality } from '@earshot/contracts';
import { buildReport } from '../rtcp/build.ts';
import { LossBursts } from '../rtcp/bursts.ts';
import { impairmentOf, quality } from '../rtcp/e-model.ts';
import { reportIntervalMs } from '../rtcp/interval.ts';
import { ntpMiddleOf, ntpUsOfWall } from '../rtcp/ntp.ts';
import type { RtcpPacket } from '../rtcp/packets.ts';
import { parseRtcp } from '../rtcp/parse.ts';
import { type HeardSenderReport, ReceptionStatistics } from '../rtcp/reception.ts';
import { roundTripUs } from '../rtcp/round-trip.ts';
import { SenderClock } from '../rtcp/sender-clock.ts';
import { MAX_SRTP_OVERHEAD, type SrtpSender } from '../srtp/sender.ts';

/** What a report is for: 64 kbit/s, two members. */
const SESSION = { receivers: 1, bandwidthBits: 64_000, meanBytes: 120 };
/** Mouth to ear before the round trip: a packet's 20 ms and as much again for putting it in order. */
const OWN_DELAY_MS = 40;

/** A report to be sent. */
export interface OutgoingReport {
  readonly bytes: Uint8Array;
  readonly address: string;
  readonly port: number;
  readonly from: 'rtp' | 'rtcp';
}

/** RTCP of one channel (RFC 3550 section 6): reads the sender's reports, makes ours, knows how good the stream is. */
export class RtcpSession {
  readonly statistics = new ReceptionStatistics();
  readonly bursts = new LossBursts();
  readonly #clock = new SenderClock(8000);
  /** Datagrams of reports that were read, and those that were none. */
  read = 0;
  malformed = 0;
  /** The sender said that it leaves, and nothing came since. */
  left = false;
  readonly #zero: CallZero;
  readonly #ssrc = randomBytes(4).readUInt32BE();
  /** RFC 7022 section 4.2: 96 random bits, no name of anyone. */
  readonly #cname = randomBytes(12).toString('base64');
  #config: ChannelRtcp | null;
  #heard: HeardSenderReport | null = null;
  #source: { address: string; port: number } | null = null;
  #roundTripUs: number | null = null;
  #dueUs: number;
  #sent = 0;

  constructor(zero: CallZero, config: ChannelRtcp | null, nowUs: number) {
    this.#zero = zero;
    this.#config = config;
    this.#dueUs = nowUs + this.#intervalUs();
  }

  configure(config: ChannelRtcp | null): void {
    this.#config = config;
  }

  /** What the sender's reports say of its timestamps, as its packets count them now. */
  get clock(): SenderClock {
    this.#clock.setRate(this.statistics.clockRate);
    return this.#clock;
  }

  /** RTCP and RTP may come on one port. */
  get mux(): boolean {
    return this.#config?.mux === true;
  }

  /** A plain datagram, SRTCP opened already. */
  receive(bytes: Uint8Array, address: string, port: number, arrivalUs: number): void {
    const result = parseRtcp(bytes);
    if (result.kind === 'malformed') {
      this.malformed++;
      return;
    }
    this.read++;
    // Anybody may send here: only who sends the stream, too, is answered where the peer has not said where.
    if (this.#source === null || result.packets.some((packet) => this.#isOfStream(packet))) {
      this.#source = { address, port };
    }
    for (const packet of result.packets) this.#take(packet, arrivalUs);
  }

  /** A report or a goodbye of the source whose packets come: others, and what is made up, say nothing of it. */
  #isOfStream(packet: RtcpPacket): boolean {
    const { ssrc } = this.statistics;
    return packet.type === 'bye' ? packet.ssrcs.includes(ssrc) : 'ssrc' in packet && packet.ssrc === ssrc;
  }

  #take(packet: RtcpPacket, arrivalUs: number): void {
    switch (packet.type) {
      case 'sender-report':
        if (!this.#isOfStream(packet)) break;
        this.#heard = { ssrc: packet.ssrc, ntpMiddle: packet.ntpMiddle, arrivalUs };
        this.clock.update(packet, arrivalUs);
        break;
      case 'bye':
        if (this.#isOfStream(packet)) this.left = true;
        break;
      case 'extended-report':
        for (const { ssrc, lastReference, delay } of packet.answers) {
          if (ssrc !== this.#ssrc) continue;
          const tookUs = roundTripUs(ntpMiddleOf(this.#ntpUs(arrivalUs)), lastReference, delay);
          this.#roundTripUs = tookUs ?? this.#roundTripUs;
        }
        break;
      case 'receiver-report':
      case 'description':
      case 'other':
        break;
    }
  }

  /** Our report, when it is time for one and there is something to say. @param sender where it has to be protected */
  due(nowUs: number, sender: SrtpSender | null): OutgoingReport | null {
    if (nowUs < this.#dueUs) return null;
    this.#dueUs = nowUs + this.#intervalUs();
    const to = this.#config?.remote ?? this.#source;
    const block = this.statistics.report(nowUs, this.#heard);
    if (this.#config === null || to === null || block === null) return null;
    const plain = buildReport({
      ssrc: this.#ssrc,
      reports: [block],
      cname: this.#cname,
      referenceUs: this.#ntpUs(nowUs),
    });
    const bytes = sender === null ? plain : this.#sealed(plain, sender, nowUs);
    if (bytes === null) return null;
    this.#sent++;
    return { bytes, address: to.address, port: to.port, from: this.mux ? 'rtp' : 'rtcp' };
  }

  /** That we leave; only one who has reported says so (RFC 3550 section 6.3.7). */
  goodbye(nowUs: number, sender: SrtpSender | null): OutgoingReport | null {
    const to = this.#config?.remote ?? this.#source;
    if (this.#sent === 0 || to === null) return null;
    const plain = buildReport({ ssrc: this.#ssrc, reports: [], cname: this.#cname, bye: true });
    const bytes = sender === null ? plain : this.#sealed(plain, sender, nowUs);
    if (bytes === null) return null;
    return { bytes, address: to.address, port: to.port, from: this.mux ? 'rtp' : 'rtcp' };
  }

  #sealed(plain: Uint8Array, sender: SrtpSender, nowUs: number): Uint8Array | null {
    const bytes = new Uint8Array(plain.length + MAX_SRTP_OVERHEAD);
    bytes.set(plain);
    // One that takes over from this process is to go on with higher indices: seconds rise faster than reports.
    const seconds = Math.floor((nowUs - this.#zero.monoUs) / 1e6);
    const length = sender.sealRtcp(bytes, plain.length, seconds);
    return length < 0 ? null : bytes.subarray(0, length);
  }

  /** @param codec its name in SDP */
  quality(codec: string): StreamQuality {
    const { lossRatio, burstRatio } = this.bursts;
    const { jitterMs, maxJitterMs } = this.statistics.totals();
    const roundTripMs = this.#roundTripUs === null ? null : this.#roundTripUs / 1000;
    const delayMs = OWN_DELAY_MS + (roundTripMs ?? 0) / 2;
    const { mos } = quality({ codec: impairmentOf(codec), lossRatio, burstRatio, delayMs });
    return { lossRatio, jitterMs, maxJitterMs, roundTripMs, mos };
  }

  #ntpUs(us: number): number {
    return ntpUsOfWall(this.#zero.wallMs + (us - this.#zero.monoUs) / 1000);
  }

  #intervalUs(): number {
    return 1000 * reportIntervalMs({ ...SESSION, first: this.#sent === 0 }, Math.random());
  }
}
