import { copyPacket, newRtpPacket, type PacketSink, type RtpPacket } from '../rtp/packet.ts';
import { PlayoutDelay } from './playout-delay.ts';

/** Most packets apart that two held ones may be; a power of two. 64 is 320 ms of 5 ms packets. */
const SLOTS = 64;
/** How far back a duplicate is told from a late packet; a power of two above RFC 3550's misorder of 100. */
const REMEMBERED = 128;

export type JitterVerdict = 'accepted' | 'late' | 'duplicate';

/**
 * Puts packets in order. A packet in sequence passes through at once; behind a hole packets wait until it is filled, or the
 * oldest held packet waited as long as overtaken packets come late these days (playout-delay.ts), or it is too far from the
 * newest: then the hole is lost. Needs packets with extended sequence numbers (rtp/sequence.ts).
 */
export class JitterBuffer {
  /** Given up, including those that came late afterwards. */
  lost = 0;
  readonly #delay = new PlayoutDelay();
  readonly #next: PacketSink;
  readonly #slots: RtpPacket[] = Array.from({ length: SLOTS }, newRtpPacket);
  /** Payloads of the held ones: a datagram's own bytes are used again by whoever read it. */
  readonly #payloads: Uint8Array[] = new Array<Uint8Array>(SLOTS).fill(new Uint8Array(0));
  readonly #occupied = new Uint8Array(SLOTS);
  readonly #delivered = new Float64Array(REMEMBERED).fill(-1);
  /** Those that were given up, and since when they were waited for. */
  readonly #givenUp = new Float64Array(REMEMBERED).fill(-1);
  readonly #overtakenUs = new Float64Array(REMEMBERED);
  #expected = -1;
  #held = 0;
  #oldestUs = Infinity;
  #unreadUntilUs = -Infinity;
  #lostBefore = 0;

  constructor(next: PacketSink) {
    this.#next = next;
  }

  /** Packets that wait behind a hole. */
  get held(): number {
    return this.#held;
  }

  /** Arrival of the packet that waits longest, microseconds; Infinity when none does. */
  get oldestHeldUs(): number {
    return this.#oldestUs;
  }

  /** How long a hole is waited for, as of nowUs. Microseconds. */
  delayUs(nowUs: number): number {
    return this.#delay.at(nowUs);
  }

  /** The next packet is expected to be the one after this. */
  restore(extended: number): void {
    this.#expected = extended + 1;
  }

  push(packet: RtpPacket): JitterVerdict {
    if (packet.restart) this.#restart(packet.extended);
    const { extended, arrivalUs } = packet;
    this.advance(arrivalUs);
    if (extended < this.#expected) return this.#tooLate(extended, arrivalUs);
    while (this.#held > 0 && extended - this.#expected >= SLOTS) this.#giveUpHole();
    if (extended - this.#expected >= SLOTS) this.#skipTo(extended, arrivalUs);
    if (extended === this.#expected) {
      if (this.#held > 0) this.#delay.overtaken(arrivalUs - this.#waitingSinceUs, arrivalUs);
      this.#deliver(packet);
      this.#drain();
      return 'accepted';
    }
    const slot = extended & (SLOTS - 1);
    if (this.#occupied[slot] === 1) return 'duplicate';
    this.#hold(packet, slot);
    return 'accepted';
  }

  /** Up to nowUs packets may have waited unread, in a pause of the process: holes wait from then on. */
  unreadUntil(nowUs: number): void {
    this.#unreadUntilUs = nowUs;
  }

  /** Gives up holes that were waited for long enough. Calling it more often changes nothing in what comes out. */
  advance(nowUs: number): void {
    while (this.#held > 0) {
      const sinceUs = this.#waitingSinceUs;
      if (nowUs - sinceUs < this.#delay.at(sinceUs)) return;
      this.#giveUpHole();
    }
  }

  /** Delivers what is held. */
  flush(): void {
    while (this.#held > 0) this.#giveUpHole();
  }

  #tooLate(extended: number, arrivalUs: number): JitterVerdict {
    const place = extended & (REMEMBERED - 1);
    if (this.#delivered[place] === extended) return 'duplicate';
    const givenUp = this.#givenUp[place] === extended;
    if (givenUp) this.#delay.overtaken(arrivalUs - this.#overtakenUs[place]!, arrivalUs);
    return 'late';
  }

  #hold(packet: RtpPacket, slot: number): void {
    const length = packet.end - packet.start;
    if (this.#payloads[slot]!.length < length) this.#payloads[slot] = new Uint8Array(length);
    const payload = this.#payloads[slot]!;
    for (let i = 0; i < length; i++) payload[i] = packet.bytes[packet.start + i]!;
    const held = this.#slots[slot]!;
    copyPacket(packet, held);
    held.bytes = payload;
    held.start = 0;
    held.end = length;
    this.#occupied[slot] = 1;
    this.#held++;
    if (packet.arrivalUs < this.#oldestUs) this.#oldestUs = packet.arrivalUs;
  }

  /** Since when the oldest held packet waits while packets are read. */
  get #waitingSinceUs(): number {
    return Math.max(this.#oldestUs, this.#unreadUntilUs);
  }

  #restart(extended: number): void {
    this.flush();
    this.#expected = extended;
    this.#lostBefore = 0;
    this.#delivered.fill(-1);
    this.#givenUp.fill(-1);
  }

  #giveUpHole(): void {
    let next = this.#expected + 1;
    while (this.#occupied[next & (SLOTS - 1)] === 0) next++;
    this.#skipTo(next, this.#waitingSinceUs);
    this.#drain();
  }

  #skipTo(extended: number, overtakenUs: number): void {
    for (let n = Math.max(this.#expected, extended - REMEMBERED); n < extended; n++) {
      const place = n & (REMEMBERED - 1);
      this.#givenUp[place] = n;
      this.#overtakenUs[place] = overtakenUs;
    }
    this.lost += extended - this.#expected;
    this.#lostBefore += extended - this.#expected;
    this.#expected = extended;
  }

  #drain(): void {
    if (this.#held === 0) return;
    for (;;) {
      const slot = this.#expected & (SLOTS - 1);
      if (this.#occupied[slot] === 0) break;
      const packet = this.#slots[slot]!;
      this.#occupied[slot] = 0;
      this.#held--;
      // Whoever asks for oldestHeldUs while this one is delivered is to hear of those that still wait.
      this.#findOldest();
      this.#deliver(packet);
    }
  }

  #deliver(packet: RtpPacket): void {
    packet.lostBefore = this.#lostBefore;
    this.#lostBefore = 0;
    this.#delivered[packet.extended & (REMEMBERED - 1)] = packet.extended;
    this.#expected = packet.extended + 1;
    this.#next.packet(packet);
  }

  #findOldest(): void {
    this.#oldestUs = Infinity;
    if (this.#held === 0) return;
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.#occupied[slot] === 1 && this.#slots[slot]!.arrivalUs < this.#oldestUs) {
        this.#oldestUs = this.#slots[slot]!.arrivalUs;
      }
    }
  }
}
