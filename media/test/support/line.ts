import { join } from 'node:path';
import type { ChannelId, LegChannel, LegCodec, SpanKind } from '@earshot/contracts';
import { Channel } from '../../src/leg/channel.ts';
import { BlockWriter } from '../../src/spool/block-writer.ts';
import { DiskHealth } from '../../src/spool/disk-health.ts';
import { Wal } from '../../src/spool/wal.ts';
import { newCall } from './call.ts';
import { quietLog } from './null-log.ts';
import { rtpBytes } from './rtp.ts';

const PCMU: readonly LegCodec[] = [
  { payloadType: 0, name: 'PCMU' },
  { payloadType: 13, name: 'CN' },
  { payloadType: 101, name: 'telephone-event' },
];
const PACKET_TICKS = 160;
const LOUD = new Uint8Array(PACKET_TICKS).fill(0x10);

/** G.729, which nobody agreed on. */
export const UNAGREED = 18;
export const NOISE = 13;
export const G729 = new Uint8Array(20);
export const NOISE_LEVEL = Uint8Array.of(50);
/** The clock stamps so far behind now, in seconds. */
export const BEHIND = 0.5;
/** What ends a hold or a pause is followed by packets a turn later. */
export const TURN = 0.02;

/** A channel without files, a sender that is always in time, and a clock that asks every 20 ms. A turn is 20 ms. */
export class ClockedLine {
  readonly channel: Channel;
  /** By the sender's clock and by ours. */
  tick = 0;
  readonly #wal: Wal;
  readonly #zeroUs: number;
  readonly #makeChannel: () => Channel;
  /** Each packet as the write-ahead log has it. */
  readonly #log: { bytes: Uint8Array; arrivalUs: number; endTick: number }[] = [];
  #leg: LegChannel;
  #sequence = 65_400;

  /** @param atTick when the channel is added to its call */
  constructor(codecs: readonly LegCodec[] = PCMU, over: Partial<LegChannel> = {}, atTick = 0) {
    const { leg } = newCall(1, {}, { codecs, ...over });
    this.#leg = leg.channels[0]!;
    this.#zeroUs = leg.zero.monoUs;
    this.tick = atTick;
    const health = new DiskHealth(quietLog);
    const nowhere = join('/nowhere', leg.callId);
    this.#wal = new Wal(
      nowhere,
      0,
      1,
      health,
      () => 0,
      (_id: ChannelId) => Infinity,
    );
    const openedUs = this.nowUs;
    const first = this.#leg;
    this.#makeChannel = () =>
      new Channel(first, leg.zero, new BlockWriter(nowhere, 0, health), this.#wal, openedUs);
    this.channel = this.#makeChannel();
    this.channel.readingBegins(openedUs);
  }

  get nowUs(): number {
    return this.#zeroUs + this.tick * 125;
  }

  /** One packet every `everyTurns`, for so many seconds. */
  send(seconds: number, payloadType = 0, payload: Uint8Array = LOUD, everyTurns = 1): void {
    for (let turn = 0; turn < seconds * 50; turn++) {
      // Its first sample was taken a turn before it is sent.
      const timestamp = (4_294_900_000 + this.tick) >>> 0;
      this.tick += PACKET_TICKS;
      if (turn % everyTurns === 0) {
        const bytes = rtpBytes({ sequence: this.#sequence++, timestamp, payload, payloadType });
        const { endTick } = this.channel.timeline;
        this.#log.push({ bytes, arrivalUs: this.nowUs, endTick });
        this.channel.receive(bytes, '127.0.0.1', 4000, this.nowUs);
      }
      this.#clock();
    }
  }

  /** The network has lost a packet. */
  lose(): void {
    this.#sequence++;
  }

  /** Nothing is sent, and the sender's clock runs on. */
  rest(seconds: number): void {
    for (let turn = 0; turn < seconds * 50; turn++) {
      this.tick += PACKET_TICKS;
      this.#clock();
    }
  }

  #clock(): void {
    this.channel.advance(this.nowUs, 0);
  }

  update(over: Partial<LegChannel>): void {
    this.#leg = { ...this.#leg, ...over };
    this.channel.update(this.#leg, this.nowUs);
  }

  pause(paused: boolean): void {
    this.channel.pause(paused, this.nowUs);
  }

  /** Its end, and what became of its time: kind and seconds. Its ticks are counted. */
  finish(): [SpanKind, number][] {
    const spans = this.#spansOf(this.channel);
    this.#wal.close();
    return spans;
  }

  /** As finish, of a replacement that has the log alone, and hears of the end. */
  finishReplaced(): [SpanKind, number][] {
    const channel = this.#makeChannel();
    channel.confirmed = false;
    for (const { bytes, arrivalUs, endTick } of this.#log) {
      channel.replay(bytes, '127.0.0.1', 4000, arrivalUs, endTick, 0);
    }
    channel.confirmed = true;
    return this.#spansOf(channel);
  }

  #spansOf(channel: Channel): [SpanKind, number][] {
    channel.finish(this.nowUs, 0);
    const { ledger, endTick } = channel.timeline;
    const spans: [SpanKind, number][] = [];
    let sum = 0;
    for (let part = ledger.tell(); part !== null; part = ledger.tell()) {
      for (const [kind, ticks] of part.spans) {
        sum += ticks;
        spans.push([kind, ticks / 8000]);
      }
    }
    const { tape } = channel;
    if (sum !== endTick || tape.endTick !== endTick) {
      throw new Error(`${sum} ticks in the ledger, ${tape.endTick} on the tape, ${endTick} on the timeline`);
    }
    channel.close();
    return spans;
  }
}
