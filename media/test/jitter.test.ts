import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JitterBuffer, type JitterVerdict } from '../src/jitter/jitter-buffer.ts';
import { PlayoutDelay } from '../src/jitter/playout-delay.ts';
import { newRtpPacket, type RtpPacket } from '../src/rtp/packet.ts';

interface Out {
  readonly extended: number;
  readonly lostBefore: number;
}

class Collector {
  readonly out: Out[] = [];
  packet(packet: RtpPacket): void {
    this.out.push({ extended: packet.extended, lostBefore: packet.lostBefore });
  }
}

function packetOf(extended: number, arrivalUs: number, ticks = 160, restart = false): RtpPacket {
  const packet = newRtpPacket();
  packet.extended = extended;
  packet.end = ticks;
  packet.arrivalUs = arrivalUs;
  packet.restart = restart;
  return packet;
}

/** The same rules, as plainly as they can be said; how long is waited is PlayoutDelay's. */
class Oracle {
  readonly out: Out[] = [];
  lost = 0;
  #next = -1;
  #lostBefore = 0;
  #held: { extended: number; us: number }[] = [];
  readonly #delay = new PlayoutDelay();
  readonly #delivered = new Set<number>();
  readonly #overtakenUs = new Map<number, number>();

  push(extended: number, us: number): JitterVerdict {
    if (this.#next < 0) this.#next = extended;
    this.advance(us);
    if (extended < this.#next) {
      if (this.#delivered.has(extended)) return 'duplicate';
      const since = this.#overtakenUs.get(extended);
      if (since !== undefined) this.#delay.overtaken(us - since, us);
      return 'late';
    }
    if (this.#held.some((each) => each.extended === extended)) return 'duplicate';
    if (extended === this.#next && this.#held.length > 0) this.#delay.overtaken(us - this.#oldestUs, us);
    this.#held.push({ extended, us });
    this.#held.sort((a, b) => a.extended - b.extended);
    this.#drain();
    return 'accepted';
  }

  get #oldestUs(): number {
    return Math.min(...this.#held.map((each) => each.us));
  }

  advance(us: number): void {
    while (this.#held.length > 0 && us - this.#oldestUs >= this.#delay.at(this.#oldestUs)) this.#giveUp();
  }

  flush(): void {
    while (this.#held.length > 0) this.#giveUp();
  }

  #giveUp(): void {
    const skipped = this.#held[0]!.extended - this.#next;
    for (let n = 0; n < skipped; n++) this.#overtakenUs.set(this.#next + n, this.#oldestUs);
    this.lost += skipped;
    this.#lostBefore += skipped;
    this.#next = this.#held[0]!.extended;
    this.#drain();
  }

  #drain(): void {
    while (this.#held[0]?.extended === this.#next) {
      this.#held.shift();
      this.#delivered.add(this.#next);
      this.out.push({ extended: this.#next, lostBefore: this.#lostBefore });
      this.#lostBefore = 0;
      this.#next++;
    }
  }
}

/** A stream that lost, doubled and disordered packets: [sequence, arrival in microseconds, ticks]. */
const arrivals = fc
  .record({
    packets: fc.array(
      fc.record({
        jitterUs: fc.integer({ min: 0, max: 150_000 }),
        fate: fc.constantFrom('sent', 'sent', 'sent', 'sent', 'sent', 'lost', 'twice'),
        ticks: fc.constantFrom(80, 160, 160, 240),
      }),
      { minLength: 1, maxLength: 120 },
    ),
    first: fc.constantFrom(0, 1, 65_530, 4_000_000),
  })
  .map(({ packets, first }) =>
    packets
      .flatMap((packet, n) => {
        const us = 1e6 + n * 20_000 + packet.jitterUs;
        const one = { extended: first + n, us, ticks: packet.ticks };
        if (packet.fate === 'lost') return [];
        return packet.fate === 'twice' ? [one, { ...one, us: us + 5000 }] : [one];
      })
      .sort((a, b) => a.us - b.us),
  );

describe('jitter buffer', () => {
  it('does with every disordered, lossy, doubled stream what the plain oracle does', () => {
    fc.assert(
      fc.property(arrivals, (stream) => {
        const collector = new Collector();
        const buffer = new JitterBuffer(collector);
        const oracle = new Oracle();
        stream.forEach(({ extended, us, ticks }, n) => {
          const verdict = buffer.push(packetOf(extended, us, ticks, n === 0));
          expect(verdict).toBe(oracle.push(extended, us));
        });
        buffer.flush();
        oracle.flush();
        expect(collector.out).toEqual(oracle.out);
        expect(buffer.lost).toBe(oracle.lost);
        expect(buffer.held).toBe(0);
        expect(buffer.oldestHeldUs).toBe(Infinity);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the same, however often the clock asks it in between', () => {
    fc.assert(
      fc.property(arrivals, fc.integer({ min: 1000, max: 40_000 }), (stream, everyUs) => {
        const asked = new Collector();
        const unasked = new Collector();
        const a = new JitterBuffer(asked);
        const b = new JitterBuffer(unasked);
        let clockUs = 1e6;
        stream.forEach(({ extended, us, ticks }, n) => {
          for (; clockUs < us; clockUs += everyUs) a.advance(clockUs);
          a.push(packetOf(extended, us, ticks, n === 0));
          b.push(packetOf(extended, us, ticks, n === 0));
        });
        a.flush();
        b.flush();
        expect(asked.out).toEqual(unasked.out);
      }),
    );
  });

  it('passes a packet in sequence through at once', () => {
    const collector = new Collector();
    const buffer = new JitterBuffer(collector);
    for (let n = 0; n < 5; n++) {
      buffer.push(packetOf(n, n * 20_000, 160, n === 0));
      expect(collector.out.length).toBe(n + 1);
    }
  });

  it('waits 60 ms for a hole by the clock at first, no longer', () => {
    const collector = new Collector();
    const buffer = new JitterBuffer(collector);
    buffer.push(packetOf(0, 0, 160, true));
    buffer.push(packetOf(2, 40_000));
    buffer.advance(99_999);
    expect(collector.out.length).toBe(1);
    buffer.advance(100_000);
    expect(collector.out.at(-1)).toEqual({ extended: 2, lostBefore: 1 });
    expect(buffer.push(packetOf(1, 100_001))).toBe('late');
    expect(buffer.push(packetOf(2, 100_002))).toBe('duplicate');
  });

  it('waits longer after packets came too late, and less again when none has for long', () => {
    const buffer = new JitterBuffer(new Collector());
    buffer.push(packetOf(0, 0, 160, true));
    buffer.push(packetOf(2, 40_000));
    buffer.advance(140_000);
    expect(buffer.push(packetOf(1, 190_000))).toBe('late');
    expect(buffer.delayUs(190_000)).toBeCloseTo(150_000 * 1.25);
    buffer.push(packetOf(4, 200_000));
    buffer.advance(350_000);
    expect(buffer.push(packetOf(3, 350_001))).toBe('accepted');
    expect(buffer.delayUs(190_000 + 30e6)).toBeLessThan(110_000);
    expect(buffer.delayUs(190_000 + 300e6)).toBe(40_000);
    buffer.push(packetOf(6, 400_000));
    buffer.advance(1_000_000);
    buffer.push(packetOf(5, 3_000_000));
    expect(buffer.delayUs(3_000_000)).toBe(400_000);
  });

  it('lets a hole wait anew after a pause in which packets stayed unread', () => {
    const collector = new Collector();
    const buffer = new JitterBuffer(collector);
    buffer.push(packetOf(0, 0, 160, true));
    buffer.push(packetOf(2, 40_000));
    buffer.unreadUntil(900_000);
    buffer.advance(950_000);
    expect(buffer.push(packetOf(1, 950_001))).toBe('accepted');
    expect(collector.out.map((each) => each.extended)).toEqual([0, 1, 2]);
    buffer.push(packetOf(4, 960_000));
    buffer.advance(1_025_000);
    expect(collector.out.at(-1)!.extended).toBe(4);
  });

  it('delivers what it holds before a stream that starts anew', () => {
    const collector = new Collector();
    const buffer = new JitterBuffer(collector);
    buffer.push(packetOf(0, 0, 160, true));
    buffer.push(packetOf(2, 40_000));
    buffer.push(packetOf(9000, 50_000, 160, true));
    expect(collector.out.map((each) => each.extended)).toEqual([0, 2, 9000]);
    expect(collector.out.at(-1)!.lostBefore).toBe(0);
  });

  it('survives a step of thousands of packets with few slots', () => {
    const collector = new Collector();
    const buffer = new JitterBuffer(collector);
    buffer.push(packetOf(0, 0, 160, true));
    buffer.push(packetOf(2, 1));
    buffer.push(packetOf(2900, 2));
    buffer.flush();
    expect(collector.out.map((each) => each.extended)).toEqual([0, 2, 2900]);
    expect(buffer.lost).toBe(1 + 2897);
  });
});
