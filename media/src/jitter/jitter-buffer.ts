import { copyPacket, newRtpPacket, type PacketSink, type RtpPacket } from '../rtp/packet.ts';

/** Most packets apart that two held ones may be; a power of two. 64 is 320 ms of 5 ms packets. */
const SLOTS = 64;
/** How far back a duplicate is told from a late packet; a power of two above RFC 3550's misorder of 100. */
const REMEMBERED = 128;

export type JitterVerdict = 'accepted' | 'late' | 'duplicate';

/**
 * Puts packets in order. A packet in sequence passes through at once; behind a hole packets wait until it is filled, or the
 * held audio is as long as the depth, or the oldest held packet waited as long as the depth: then the hole is lost. Needs
 * packets with extended sequence numbers (rtp/sequence.ts); G.711 only counts, one byte a tick.
 */
export class JitterBuffer {
  /** Given up, including those that came late afterwards. */
  lost = 0;
  readonly #depthTicks: number;
  readonly #depthUs: number;
  readonly #next: PacketSink;
  readonly #slots: RtpPacket[] = Array.from({ length: SLOTS }, newRtpPacket);
  readonly #occupied = new Uint8Array(SLOTS);
  readonly #delivered = new Float64Array(REMEMBERED).fill(-1);
  #expected = -1;
  #held = 0;
  #heldTicks = 0;
  #oldestUs = Infinity;
  #unreadUntilUs = -Infinity;
  #lostBefore = 0;

  constructor(depthTicks: number, next: PacketSink) {
    this.#depthTicks = depthTicks;
    this.#depthUs = depthTicks * 125;
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

  /** The next packet is expected to be the one after this. */
  restore(extended: number): void {
    this.#expected = extended + 1;
  }

  push(packet: RtpPacket): JitterVerdict {
    if (packet.restart) this.#restart(packet.extended);
    this.advance(packet.arrivalUs);
    const { extended } = packet;
    if (extended < this.#expected) {
      return this.#delivered[extended & (REMEMBERED - 1)] === extended ? 'duplicate' : 'late';
    }
    while (this.#held > 0 && extended - this.#expected >= SLOTS) this.#giveUpHole();
    if (extended - this.#expected >= SLOTS) this.#skipTo(extended);
    if (extended === this.#expected) {
      this.#deliver(packet);
      this.#drain();
      return 'accepted';
    }
    const slot = extended & (SLOTS - 1);
    if (this.#occupied[slot] === 1) return 'duplicate';
    this.#occupied[slot] = 1;
    copyPacket(packet, this.#slots[slot]!);
    this.#held++;
    this.#heldTicks += packet.end - packet.start;
    if (packet.arrivalUs < this.#oldestUs) this.#oldestUs = packet.arrivalUs;
    while (this.#held > 0 && this.#heldTicks >= this.#depthTicks) this.#giveUpHole();
    return 'accepted';
  }

  /** Up to nowUs packets may have waited unread, in a pause of the process: holes wait from then on. */
  unreadUntil(nowUs: number): void {
    this.#unreadUntilUs = nowUs;
  }

  /** Gives up holes that are older than the depth. Calling it more often changes nothing in what comes out. */
  advance(nowUs: number): void {
    while (this.#held > 0 && nowUs - Math.max(this.#oldestUs, this.#unreadUntilUs) >= this.#depthUs) {
      this.#giveUpHole();
    }
  }

  /** Delivers what is held. */
  flush(): void {
    while (this.#held > 0) this.#giveUpHole();
  }

  #restart(extended: number): void {
    this.flush();
    this.#expected = extended;
    this.#lostBefore = 0;
    this.#delivered.fill(-1);
  }

  #giveUpHole(): void {
    let next = this.#expected + 1;
    while (this.#occupied[next & (SLOTS - 1)] === 0) next++;
    this.#skipTo(next);
    this.#drain();
  }

  #skipTo(extended: number): void {
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
      this.#heldTicks -= packet.end - packet.start;
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
