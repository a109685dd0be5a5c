import { type CallId, type CallZero, channelIdOf, type LegChannel, type LegCodec } from '@earshot/contracts';
import { hasOpus, newNativeOpus } from '../codec/opus-native.ts';
import { buildReport } from '../rtcp/build.ts';
import { BlockWriter } from '../spool/block-writer.ts';
import type { DiskHealth } from '../spool/disk-health.ts';
import type { Wal } from '../spool/wal.ts';
import { keysFrom } from '../srtp/keys.ts';
import { mutate, Random } from '../srtp/mutate.ts';
import { MAX_SRTP_OVERHEAD, SrtpSender } from '../srtp/sender.ts';
import { SRTP_SUITES, suiteSizes } from '../srtp/suite.ts';
import { Channel } from './channel.ts';

export interface FuzzTally {
  /** Datagrams that were given to channels. */
  datagrams: number;
  /** Of them RTCP. */
  reports: number;
  /** RTP packets that were taken as a stream's next ones. */
  received: number;
  /** Ticks that channels came to. */
  ticks: number;
  channels: number;
}

const CALL = '00000000-0000-7000-8000-000000000000' as CallId;
const PCMU: LegCodec = { payloadType: 0, name: 'PCMU' };
const PCMA: LegCodec = { payloadType: 8, name: 'PCMA' };
const G722: LegCodec = { payloadType: 9, name: 'G722' };
const NOISE: LegCodec = { payloadType: 13, name: 'CN' };
const KEYS: LegCodec = { payloadType: 101, name: 'telephone-event' };
const OPUS: LegCodec = { payloadType: 111, name: 'opus', clockRate: 48_000, audioChannels: 2 };
const OPUS_KEYS: LegCodec = { payloadType: 102, name: 'telephone-event', clockRate: 48_000 };
const WIDE: LegCodec = { payloadType: 96, name: 'L16', clockRate: 16_000 };
const STEREO: LegCodec = { payloadType: 97, name: 'L16', clockRate: 48_000, audioChannels: 2 };
/** What channels open with; they also change from one to another. */
const OFFERS: readonly (readonly LegCodec[])[] = [
  [PCMU, PCMA, NOISE, KEYS],
  [PCMA, G722, KEYS],
  [G722, PCMU, NOISE, KEYS],
  [OPUS, PCMU, OPUS_KEYS],
  [WIDE, STEREO, PCMA, KEYS],
];
/** Packets in which a channel lives: then it is finished and looked at, and another takes its place. */
const LIFE = 20_000;

/**
 * Random and damaged datagrams through whole channels: every codec, plain and with each SRTP suite, RTCP, with holes, late and double packets,
 * holds, pauses, changed offers and changed sources. The same seed does the same.
 */
export class PipelineFuzzer {
  readonly tally: FuzzTally = { datagrams: 0, reports: 0, received: 0, ticks: 0, channels: 0 };
  readonly #random: Random;
  readonly #folder: string;
  readonly #wal: Wal;
  readonly #health: DiskHealth;
  readonly #opus: readonly Uint8Array[];
  readonly #lines: Line[] = [];

  /** @param folder that is not there: no disk is to be filled */
  constructor(seed: number, folder: string, wal: Wal, health: DiskHealth) {
    this.#random = new Random(seed);
    this.#folder = folder;
    this.#wal = wal;
    this.#health = health;
    this.#opus = opusPackets(this.#random);
    // One of each offer without SRTP, one of each suite.
    const lines = OFFERS.length + SRTP_SUITES.length;
    for (let index = 0; index < lines; index++) this.#lines.push(this.#newLine(index));
  }

  /** @throws Error where a channel breaks a promise, and whatever it throws */
  run(datagrams: number): void {
    for (let n = 0; n < datagrams; n++) {
      const place = this.#random.below(this.#lines.length);
      const line = this.#lines[place]!;
      line.step();
      this.tally.datagrams++;
      if (line.steps < LIFE) continue;
      this.#retire(line);
      this.#lines[place] = this.#newLine(place);
    }
  }

  /** Ends all channels. */
  finish(): void {
    for (const line of this.#lines.splice(0)) this.#retire(line);
  }

  #newLine(index: number): Line {
    return new Line(index, this.#random, this.#opus, (channel, zero) => {
      const writer = new BlockWriter(this.#folder, index, this.#health);
      return new Channel(channel, zero, writer, this.#wal, zero.monoUs);
    });
  }

  #retire(line: Line): void {
    const { ticks, received, reports } = line.finish();
    this.tally.ticks += ticks;
    this.tally.received += received;
    this.tally.reports += reports;
    this.tally.channels++;
  }
}

/** One channel and the two ends of its stream. */
class Line {
  steps = 0;
  readonly #random: Random;
  readonly #opus: readonly Uint8Array[];
  readonly #channel: Channel;
  readonly #sender: SrtpSender | null;
  readonly #zero: CallZero = { wallMs: 0, monoUs: 1_000_000_000 };
  #leg: LegChannel;
  #nowUs = this.#zero.monoUs;
  #sequence: number;
  #timestamp: number;
  #ssrc: number;
  #endTick = 0;
  #toldTick = 0;
  #paused = false;
  #reports = 0;
  #kept: Uint8Array | null = null;

  constructor(
    index: number,
    random: Random,
    opus: readonly Uint8Array[],
    open: (channel: LegChannel, zero: CallZero) => Channel,
  ) {
    this.#random = random;
    this.#opus = opus;
    this.#sequence = random.next();
    this.#timestamp = random.next();
    this.#ssrc = random.next();
    const suite = SRTP_SUITES[index - OFFERS.length];
    const keySet = (): NonNullable<LegChannel['srtp']>['receive'] => {
      const { keyBytes, saltBytes } = suiteSizes[suite!];
      const key = Buffer.alloc(keyBytes + saltBytes);
      random.fill(key);
      return { suite: suite!, keys: [{ key: key.toString('base64'), mki: null }] };
    };
    const srtp = suite === undefined ? undefined : { receive: keySet(), send: keySet() };
    this.#leg = {
      channel: channelIdOf(CALL, index),
      codecs: OFFERS[index % OFFERS.length]!,
      state: 'active',
      remote: null,
      rtcp: { mux: index % 2 === 0, reducedSize: index % 3 === 0, remote: null },
      ...(srtp !== undefined && { srtp }),
    };
    this.#sender = srtp === undefined ? null : new SrtpSender(keysFrom(srtp.receive)!, 0);
    this.#channel = open(this.#leg, this.#zero);
  }

  step(): void {
    this.steps++;
    const random = this.#random;
    this.#nowUs += random.below(500) === 0 ? random.below(8_000_000) : random.below(40_000);
    const isReport = random.below(10) === 0;
    const whole = isReport ? this.#newReport() : this.#newPacket();
    const damaged = random.below(3) === 0 ? mutate(whole, random) : whole;
    this.#deliver(isReport, damaged);
    if (random.below(50) === 0) this.#deliver(isReport, damaged);
    if (this.#kept !== null && random.below(3) === 0) {
      this.#deliver(false, this.#kept);
      this.#kept = null;
    }
    this.#meddle();
    const { endTick } = this.#channel.timeline;
    if (endTick < this.#endTick)
      throw new Error(`the timeline went back from ${this.#endTick} to ${endTick}`);
    this.#endTick = endTick;
  }

  /** Its end, looked at. */
  finish(): { ticks: number; received: number; reports: number } {
    const channel = this.#channel;
    channel.finish(this.#nowUs, this.#zero.monoUs);
    this.#tell();
    const { endTick } = channel.timeline;
    if (channel.tape.endTick !== endTick)
      throw new Error(`tape ends at ${channel.tape.endTick}, not ${endTick}`);
    if (this.#toldTick !== endTick) throw new Error(`the ledger ends at ${this.#toldTick}, not ${endTick}`);
    const { packetsReceived: received } = channel.totals();
    channel.close();
    return { ticks: endTick, received, reports: this.#reports };
  }

  #deliver(isReport: boolean, bytes: Uint8Array): void {
    // A few come from somebody else.
    const port = this.#random.below(200) === 0 ? 9 : 4000;
    if (isReport && this.#random.below(2) === 0) {
      this.#channel.receiveRtcp(bytes, '127.0.0.1', port + 1, this.#nowUs);
    } else this.#channel.receive(bytes, '127.0.0.1', port, this.#nowUs);
  }

  /** What happens around packets: the clock, signalling, reports. */
  #meddle(): void {
    const random = this.#random;
    const channel = this.#channel;
    if (random.below(8) === 0) channel.advance(this.#nowUs, this.#zero.monoUs);
    if (random.below(50) === 0) {
      channel.report(this.#nowUs);
      channel.mediaChanged(this.#nowUs);
      this.#tell();
    }
    if (random.below(1000) === 0) {
      const codecs = OFFERS[random.below(OFFERS.length)]!;
      this.#leg = { ...this.#leg, codecs, state: random.below(4) === 0 ? 'held' : 'active' };
      channel.update(this.#leg, this.#nowUs);
    }
    if (random.below(this.#paused ? 100 : 3000) === 0) {
      this.#paused = !this.#paused;
      channel.pause(this.#paused, this.#nowUs);
    }
  }

  /** As the ledger is told to transcripts, and kept there: its parts follow each other. */
  #tell(): void {
    const { ledger } = this.#channel.timeline;
    for (let part = ledger.tell(); part !== null; part = ledger.tell()) {
      const sum = part.spans.reduce((ticks, [, length]) => ticks + length, 0);
      if (part.fromTick !== this.#toldTick || part.toTick - part.fromTick !== sum) {
        throw new Error(`a part of the ledger does not follow at ${this.#toldTick}`);
      }
      this.#toldTick = part.toTick;
      ledger.acknowledged(part.toTick);
    }
    this.#channel.tape.release(this.#channel.timeline.endTick - 8000);
  }

  #newPacket(): Uint8Array {
    const random = this.#random;
    const { codecs } = this.#leg;
    const codec = codecs[random.below(3) === 0 ? random.below(codecs.length) : 0]!;
    const payload = this.#payload(codec);
    this.#sequence += random.below(60) === 0 ? random.below(9) - 3 : 1;
    if (random.below(2000) === 0) this.#sequence = random.next();
    this.#timestamp += 20 * ((codec.clockRate ?? 8000) / 1000);
    if (random.below(1000) === 0) this.#timestamp = random.next();
    if (random.below(3000) === 0) this.#ssrc = random.next();
    const bytes = new Uint8Array(12 + payload.length + MAX_SRTP_OVERHEAD);
    const view = new DataView(bytes.buffer);
    bytes[0] = 0x80;
    bytes[1] = random.below(300) === 0 ? random.below(256) : codec.payloadType;
    view.setUint16(2, this.#sequence & 0xffff);
    view.setUint32(4, this.#timestamp >>> 0);
    view.setUint32(8, this.#ssrc);
    bytes.set(payload, 12);
    const length = 12 + payload.length;
    const sealed = this.#sender === null ? length : this.#sender.sealRtp(bytes, length);
    const packet = bytes.subarray(0, Math.max(length, sealed));
    if (this.#kept === null && random.below(30) === 0) this.#kept = packet.slice();
    return packet;
  }

  #payload({ name, clockRate = 8000, audioChannels = 1 }: LegCodec): Uint8Array {
    const random = this.#random;
    const whole = this.#opus[random.below(Math.max(1, this.#opus.length))];
    if (name === 'opus' && whole !== undefined && random.below(8) > 0) return whole;
    const usual =
      name === 'telephone-event'
        ? 4
        : name === 'CN'
          ? 11
          : name === 'L16'
            ? (clockRate / 25) * audioChannels
            : 160;
    const payload = new Uint8Array(random.below(20) === 0 ? random.below(1400) : Math.min(1400, usual));
    random.fill(payload);
    return payload;
  }

  #newReport(): Uint8Array {
    this.#reports++;
    const random = this.#random;
    const plain = buildReport({
      ssrc: this.#ssrc,
      reports: Array.from({ length: random.below(3) }, () => ({
        ssrc: random.next(),
        fractionLost: random.below(256),
        cumulativeLost: random.below(1000),
        highest: random.next(),
        jitter: random.next(),
        lastSenderReport: random.next(),
        delaySinceLastSenderReport: random.next(),
      })),
      cname: 'fuzz',
      ...(random.below(3) === 0 && { referenceUs: random.next() }),
      bye: random.below(500) === 0,
    });
    if (random.below(3) === 0) plain[1] = 200;
    if (this.#sender === null) return plain;
    const bytes = new Uint8Array(plain.length + MAX_SRTP_OVERHEAD);
    bytes.set(plain);
    return bytes.subarray(0, Math.max(plain.length, this.#sender.sealRtcp(bytes, plain.length)));
  }
}

/** Frames as a sender makes them, of all durations, mono and stereo. */
function opusPackets(random: Random): Uint8Array[] {
  if (!hasOpus) return [];
  return [1, 2].flatMap((channels) =>
    [2.5, 5, 10, 20, 40, 60].map((ms) => {
      const pcm = Buffer.alloc(2 * 16 * ms * channels);
      for (let i = 0; i < pcm.length / 2; i++) {
        pcm.writeInt16LE(Math.round(6000 * Math.sin(i / 9)) + random.below(2000), 2 * i);
      }
      return Uint8Array.from(newNativeOpus(16_000, channels).encode(pcm));
    }),
  );
}
