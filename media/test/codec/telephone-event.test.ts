import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTelephoneEvent, TelephoneEvents } from '../../src/codec/telephone-event.ts';

interface Told {
  readonly event: number;
  readonly start: number;
  readonly duration: number;
}

class Room {
  readonly told: Told[] = [];
  readonly events = new TelephoneEvents(8000, {
    telephoneEvent: (event, start, duration) => this.told.push({ event, start, duration }),
  });

  send(timestamp: number, ...updates: (readonly [event: number, end: boolean, duration: number])[]): boolean {
    const bytes = updates.flatMap(([event, end, duration]) => [
      event,
      (end ? 0x80 : 0) | 10,
      duration >> 8,
      duration & 0xff,
    ]);
    return this.events.packet(timestamp >>> 0, Uint8Array.from(bytes), 0, bytes.length);
  }
}

/** The packets of one key as RFC 4733 has them: an update each 50 ms, the end three times. */
const packetsOf = (event: number, start: number, duration: number): [number, number, boolean, number][] => {
  const packets: [number, number, boolean, number][] = [];
  for (let done = 400; done < duration; done += 400) packets.push([start, event, false, done]);
  for (let n = 0; n < 3; n++) packets.push([start, event, true, duration]);
  return packets;
};

describe('telephone events', () => {
  it('at 8000 in a stream stamped at 48000 are told once each, as long as they were', () => {
    const told: Told[] = [];
    const events = new TelephoneEvents(
      8000,
      { telephoneEvent: (event, start, duration) => told.push({ event, start, duration }) },
      48_000,
    );
    // Longer than one segment can say (section 2.5.1.3): the next one begins where it ends, by the stream's clock.
    const longest = 0xffff;
    const send = (timestamp: number, end: boolean, duration: number): boolean =>
      events.packet(timestamp, Uint8Array.of(5, end ? 0x8a : 10, duration >> 8, duration & 0xff), 0, 4);
    send(9600, false, 400);
    send(9600, false, longest);
    send(9600 + longest * 6, false, 400);
    for (let n = 0; n < 3; n++) send(9600 + longest * 6, true, 800);
    expect(told).toEqual([{ event: 5, start: 9600, duration: (longest + 800) * 6 }]);
  });

  it('are read from their four bytes', () => {
    const event = { event: 0, end: false, volumeDbm0: 0, duration: 0 };
    expect(readTelephoneEvent(Uint8Array.of(9, 11, 0x8a, 0x03, 0x20), 1, 5, event)).toBe(true);
    expect(event).toEqual({ event: 11, end: true, volumeDbm0: -10, duration: 800 });
    expect(readTelephoneEvent(Uint8Array.of(11, 0x8a, 3), 0, 3, event)).toBe(false);
  });

  it('are told once, though the end comes three times', () => {
    const room = new Room();
    for (const [at, event, end, duration] of packetsOf(5, 1000, 1600)) room.send(at, [event, end, duration]);
    expect(room.told).toEqual([{ event: 5, start: 1000, duration: 1600 }]);
  });

  it('are told once each, in order and in full, whatever is lost, doubled or late, if one end of each arrives', () => {
    const key = fc.record({
      event: fc.nat(15),
      updates: fc.integer({ min: 1, max: 8 }),
      pause: fc.integer({ min: 0, max: 4000 }),
      keptEnd: fc.nat(2),
    });
    const run = fc.tuple(
      fc.array(key, { minLength: 1, maxLength: 8 }),
      fc.nat(0xffffffff),
      fc.array(fc.nat(99), { minLength: 200, maxLength: 200 }),
    );
    fc.assert(
      fc.property(run, ([keys, first, dice]) => {
        const room = new Room();
        let timestamp = first;
        const expected: Told[] = [];
        const sent: { order: number; packet: [number, number, boolean, number] }[] = [];
        let order = 0;
        for (const { event, updates, pause, keptEnd } of keys) {
          const duration = 400 * updates;
          const packets = packetsOf(event, timestamp, duration);
          packets.forEach((packet, n) => {
            const roll = dice[order % dice.length]!;
            const kept = n === packets.length - 3 + keptEnd;
            // One in five is lost; one in five comes twice; updates may come up to two packets late.
            if (kept || roll >= 20) sent.push({ order, packet });
            if (roll >= 80) sent.push({ order: order + (kept ? 0 : 2.5), packet });
            order++;
          });
          expected.push({ event, start: timestamp >>> 0, duration });
          timestamp = (timestamp + duration + pause + 160) >>> 0;
        }
        sent.sort((a, b) => a.order - b.order);
        for (const { packet } of sent) room.send(packet[0], [packet[1], packet[2], packet[3]]);
        expect(room.told).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('end by silence when their end was lost, with what was known of them', () => {
    const room = new Room();
    room.send(1000, [7, false, 400]);
    room.send(1000, [7, false, 800]);
    room.events.until(1800 + 2400);
    expect(room.told).toEqual([]);
    room.events.until(1800 + 2401);
    room.events.until(9000);
    expect(room.told).toEqual([{ event: 7, start: 1000, duration: 800 }]);
    room.send(1000, [7, true, 1200]);
    room.events.flush();
    expect(room.told.length).toBe(1);
  });

  it('end by the next key, also when it is the same one', () => {
    const room = new Room();
    room.send(1000, [7, false, 400]);
    room.send(3000, [7, false, 400]);
    room.send(5000, [8, false, 80]);
    room.events.flush();
    expect(room.told).toEqual([
      { event: 7, start: 1000, duration: 400 },
      { event: 7, start: 3000, duration: 400 },
      { event: 8, start: 5000, duration: 80 },
    ]);
  });

  it('go on in segments when they are longer than a duration can say, also over the wrap of the timestamp', () => {
    const room = new Room();
    const start = 0xffff_0000;
    room.send(start, [0, false, 0x8000]);
    room.send(start, [0, false, 0xffff]);
    room.send(start + 0xffff, [0, false, 0x4000]);
    room.send(start, [0, false, 0xffff]); // late
    room.send(start + 0xffff, [0, true, 0x5000]);
    room.send(start + 0xffff, [0, true, 0x5000]);
    room.send(start, [0, false, 0xffff]); // later still
    room.events.flush();
    expect(room.told).toEqual([{ event: 0, start, duration: 0xffff + 0x5000 }]);
  });

  it('are taken one after the other from a packet that has several', () => {
    const room = new Room();
    expect(room.send(1000, [1, true, 400], [2, true, 480], [3, false, 80])).toBe(true);
    room.send(1880, [3, true, 400]);
    expect(room.told).toEqual([
      { event: 1, start: 1000, duration: 400 },
      { event: 2, start: 1400, duration: 480 },
      { event: 3, start: 1880, duration: 400 },
    ]);
  });

  it('are heard again when a stream begins anew, by reset or far back in time', () => {
    const room = new Room();
    room.send(500_000, [1, true, 400]);
    room.send(100, [1, true, 400]);
    room.events.reset();
    room.send(100, [1, true, 400]);
    expect(room.told.map(({ start }) => start)).toEqual([500_000, 100, 100]);
  });

  it('are never made up by random bytes beyond what the bytes say', () => {
    const packets = fc.array(fc.tuple(fc.nat(0xffffffff), fc.uint8Array({ maxLength: 40 })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(packets, (all) => {
        const room = new Room();
        let whole = 0;
        for (const [timestamp, bytes] of all) {
          const clean = room.events.packet(timestamp, bytes, 0, bytes.length);
          expect(clean).toBe(bytes.length > 0 && bytes.length % 4 === 0);
          whole += bytes.length >> 2;
          room.events.until(timestamp);
        }
        room.events.flush();
        expect(room.told.length).toBeLessThanOrEqual(whole);
        for (const { event, start, duration } of room.told) {
          expect(event).toBeLessThan(256);
          expect(start).toBe(start >>> 0);
          expect(duration).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});
