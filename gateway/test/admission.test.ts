import type { EngineRow } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission, type AdmissionOptions, type Live, type MediaState } from '../src/admission/admission.ts';
import { Departures } from '../src/admission/departures.ts';
import { RecognitionRoom } from '../src/admission/recognition-room.ts';
import { Setups } from '../src/admission/setups.ts';
import { SourceRates } from '../src/admission/source-rates.ts';

/** What an engine says that carries 400 channels of unbroken speech and hears so many, each speech for this share of the time. */
const row = (channels: number, share = 0.5, engine = 0, capacity = 400): EngineRow => ({
  engine,
  channels,
  capacity,
  headroom: Math.max(0, 1 - (channels * share) / capacity),
});

describe('the room for recognition', () => {
  it('is unknown before the first table', () => {
    expect(new RecognitionRoom(1, Infinity).channels).toBeNull();
  });

  it('is four fifths of the engines that serve, for channels that speak half of the time', () => {
    const room = new RecognitionRoom(2, Infinity);
    room.table([row(0), row(0, 0.5, 1), row(0, 0.5, 2)], 0);
    expect(room.channels).toBe((0.8 * 800) / 0.5);
    expect(room.headroom).toBe(1);
  });

  it('is no more than the cores of the machine carry, which media and the call log want a share of', () => {
    const channels = (cores: number): number => {
      const room = new RecognitionRoom(1, cores);
      room.table([{ ...row(0), capacity: 1200 }], 0);
      return room.channels!;
    };
    expect(channels(2)).toBeGreaterThan(900);
    expect(channels(2)).toBeLessThan(1100);
    expect(channels(1)).toBe(Math.floor(channels(2) / 2));
    expect(channels(16)).toBe((0.8 * 1200) / 0.5);
  });

  it('follows what the channels cost, more slowly than a call is long', () => {
    const room = new RecognitionRoom(1, Infinity);
    room.table([row(0)], 0);
    const before = room.channels!;
    for (let second = 1; second <= 240; second++) room.table([row(300, 0.8)], second * 1000);
    expect(room.channels).toBeLessThan(0.7 * before);
    expect(room.channels).toBeGreaterThan((0.8 * 400) / 0.8);
  });

  it('does not believe that calls on hold cost nothing', () => {
    const room = new RecognitionRoom(1, Infinity);
    for (let second = 0; second < 300; second++) room.table([row(300, 0.01)], second * 1000);
    expect(room.channels).toBeLessThanOrEqual(Math.floor((0.8 * 400) / 0.2));
  });

  it('is not taken for more while channels come faster than headroom, a mean over 5 s, falls', () => {
    const ramp = new RecognitionRoom(1, Infinity);
    const counts: number[] = [];
    for (let second = 0; second < 20; second++) {
      counts.push(second * 20);
      const lastFive = counts.slice(-5);
      const mean = lastFive.reduce((sum, n) => sum + n, 0) / lastFive.length;
      ramp.table([{ ...row(second * 20), headroom: 1 - (mean * 0.5) / 400 }], second * 1000);
      expect(ramp.channels).toBeLessThanOrEqual(650);
    }
  });

  it('stands as it was while no engine is there, and learns nothing from one that gives its channels back', () => {
    const room = new RecognitionRoom(1, Infinity);
    room.table([row(100)], 0);
    const before = room.channels;
    room.table([], 1000);
    expect(room.channels).toBe(before);
    expect(room.headroom).toBeNull();
    room.table([{ ...row(100), headroom: 0 }], 2000);
    expect(room.channels).toBe(before);
  });

  it('is full when next to nothing has been left for a minute, and not for a moment', () => {
    const room = new RecognitionRoom(1, Infinity);
    for (let second = 0; second < 60; second++) room.table([{ ...row(50), headroom: 0.05 }], second * 1000);
    expect(room.isFull(59_000)).toBe(false);
    room.table([{ ...row(50), headroom: 0.05 }], 60_000);
    expect(room.isFull(60_000)).toBe(true);
    room.table([row(50)], 61_000);
    expect(room.isFull(61_000)).toBe(false);
  });

  it('keeps more back, learns nothing, and is not full while the engines do with what is free what was recorded first', () => {
    const room = new RecognitionRoom(1, Infinity);
    room.table([row(50)], 0);
    const before = room.channels;
    for (let second = 1; second < 120; second++)
      room.table([{ ...row(50), headroom: 0.05 }], second * 1000, true);
    expect(room.channels).toBe((before! * 0.7) / 0.8);
    expect(room.isFull(120_000)).toBe(false);
    room.table([row(50)], 121_000);
    expect(room.channels).toBe(before);
  });

  it('of a speech server is its connections, once a channel has shown how many there are', () => {
    const room = new RecognitionRoom(2, Infinity);
    const engines = (a: number, b: number): EngineRow[] =>
      [a, b].map((channels, engine) => ({ engine, channels, headroom: 1 - channels / 25 }));
    room.table(engines(0, 0), 0);
    expect(room.channels).toBeNull();
    room.table(engines(3, 2), 1000);
    expect(room.channels).toBe(50);
    for (let second = 2; second < 90; second++)
      room.table([{ engine: 0, channels: 3, headroom: 0 }], second * 1000);
    expect(room.channels).toBe(50);
    expect(room.isFull(90_000)).toBe(false);
  });
});

const options: AdmissionOptions = {
  maxCalls: null,
  rate: null,
  portChannels: 6_000,
  servingEngines: 1,
  cores: Infinity,
  recordFirstCalls: 0,
  ignoreRecognition: false,
  chance: () => 0.5,
};
const live = (calls: number, channels = 2 * calls, deferredCalls = 0): Live => ({
  calls,
  channels,
  deferredCalls,
  deferredChannels: 2 * deferredCalls,
});
const twoParty = (calls: number): Live => live(calls);
const well: MediaState = { late: false, endedWaiting: 0, diskScarce: false };

/** Offers calls at an even pace while they last for ever. @returns how many were taken */
function offer(admission: Admission, calls: number): number {
  let taken = 0;
  for (let n = 0; n < calls; n++) {
    if (admission.room(twoParty(taken), well, n * 10) === 'taken') taken++;
  }
  return taken;
}

describe('admission', () => {
  it('takes exactly as many of 1,000 calls as fit, though no engine has heard one of them', () => {
    const admission = new Admission(options, 0);
    // 0.8 × 250 channels of unbroken speech, at half of it a channel, are 400 channels.
    admission.engines([row(0, 0.5, 0, 250)], 0);
    expect(admission.capacity(twoParty(0))).toBe(200);
    expect(offer(admission, 1_000)).toBe(200);
  });

  it('has MAX_CALLS as a limit on top, and says which limit it was', () => {
    const admission = new Admission({ ...options, maxCalls: 150 }, 0);
    admission.engines([row(0, 0.5, 0, 250)], 0);
    expect(offer(admission, 1_000)).toBe(150);
    expect(admission.capacity(twoParty(0))).toBe(150);
    expect(admission.room(twoParty(150), well, 0)).toMatchObject({ reason: 'max_calls' });
    const measured = new Admission({ ...options, maxCalls: 500 }, 0);
    measured.engines([row(0, 0.5, 0, 250)], 0);
    expect(measured.room(twoParty(200), well, 0)).toMatchObject({ reason: 'capacity' });
  });

  it('knows no limit but the ports while no engine has been measured, and when it is told to be open', () => {
    const unknown = new Admission({ ...options, portChannels: 60 }, 0);
    expect(offer(unknown, 1_000)).toBe(30);
    expect(unknown.capacity(twoParty(0))).toBeNull();
    const open = new Admission({ ...options, portChannels: 600, ignoreRecognition: true }, 0);
    open.engines([row(0, 0.5, 0, 10)], 0);
    expect(offer(open, 1_000)).toBe(300);
  });

  it('counts calls by their channels', () => {
    const admission = new Admission(options, 0);
    admission.engines([row(0, 0.5, 0, 250)], 0);
    expect(admission.room(live(300, 398), well, 0)).toBe('taken');
    expect(admission.room(live(100, 400), well, 0)).toMatchObject({ reason: 'capacity' });
    expect(admission.capacity(live(90, 90))).toBeGreaterThan(350);
  });

  it('takes none while the engines have been full for a minute, unless it is told to be open', () => {
    const [measured, open] = [false, true].map((ignoreRecognition) => {
      const admission = new Admission({ ...options, ignoreRecognition }, 0);
      for (const nowMs of [0, 60_000]) admission.engines([{ ...row(10), headroom: 0.01 }], nowMs);
      return admission.room(twoParty(5), well, 60_000);
    });
    expect(measured).toMatchObject({ reason: 'capacity' });
    expect(open).toBe('taken');
  });

  it('takes none while the media workers are late, and none while the node drains', () => {
    const admission = new Admission(options, 0);
    expect(admission.room(twoParty(0), { ...well, late: true }, 0)).toMatchObject({ reason: 'capacity' });
    admission.draining = true;
    const refused = admission.room(twoParty(0), well, 0);
    expect(refused).toMatchObject({ reason: 'draining' });
    expect(admission.drained?.retryAfterS).toBeGreaterThanOrEqual(60);
  });
});

describe('calls beyond the room for recognition', () => {
  const full = (more: Partial<AdmissionOptions> = {}): Admission => {
    const admission = new Admission({ ...options, recordFirstCalls: null, ...more }, 0);
    admission.engines([row(0, 0.5, 0, 250)], 0);
    return admission;
  };

  it('are recorded first, half as many as it carries, and those beyond are refused', () => {
    const admission = full();
    const counts = { taken: 0, 'recorded-first': 0, refused: 0 };
    for (let n = 0; n < 1_000; n++) {
      const { taken, 'recorded-first': deferred } = counts;
      const room = admission.room(live(taken + deferred, 2 * (taken + deferred), deferred), well, n);
      counts[typeof room === 'string' ? room : 'refused']++;
    }
    expect(counts).toEqual({ taken: 200, 'recorded-first': 100, refused: 700 });
  });

  it('are recorded first while the engines have been full for a minute', () => {
    const admission = full();
    for (const nowMs of [0, 60_000]) admission.engines([{ ...row(10), headroom: 0.01 }], nowMs);
    expect(admission.room(twoParty(5), well, 60_000)).toBe('recorded-first');
  });

  it('are refused on a scarce disk, while the media workers are late, and beyond what the ports and MAX_CALLS allow', () => {
    const at = live(200);
    expect(full().room(at, well, 0)).toBe('recorded-first');
    const refused = { reason: 'capacity' };
    expect(full().room(at, { ...well, diskScarce: true }, 0)).toMatchObject(refused);
    expect(full().room(at, { ...well, late: true }, 0)).toMatchObject(refused);
    expect(full({ portChannels: 401 }).room(at, well, 0)).toMatchObject(refused);
    expect(full({ maxCalls: 200 }).room(at, well, 0)).toMatchObject({ reason: 'max_calls' });
    expect(full({ recordFirstCalls: 0 }).room(at, well, 0)).toMatchObject(refused);
    expect(full({ ignoreRecognition: true }).room(at, well, 0)).toBe('taken');
  });

  it('never are more than may wait, ended ones counted, and take no room from those that are recognised', () => {
    const count = fc.nat(300);
    fc.assert(
      fc.property(count, count, count, fc.option(count), (recognised, deferred, endedWaiting, most) => {
        const admission = full({ recordFirstCalls: most });
        const calls = recognised + deferred;
        const room = admission.room(live(calls, 2 * calls, deferred), { ...well, endedWaiting }, 0);
        const mayWait = deferred + endedWaiting < (most ?? 100);
        const expected = recognised < 200 ? 'taken' : mayWait ? 'recorded-first' : 'refused';
        expect(typeof room === 'string' ? room : 'refused').toBe(expected);
      }),
    );
  });
});

describe('calls that wait for a media worker', () => {
  it('keep new ones away only when they are many and wait for long', () => {
    const setups = new Setups();
    for (let n = 0; n < 30; n++) setups.began(n, n);
    expect(setups.piledUp(400)).toBe(false);
    expect(setups.piledUp(501)).toBe(true);
    for (let n = 0; n < 5; n++) setups.done(n);
    expect(setups.piledUp(501)).toBe(false);
    expect(setups.piledUp(506)).toBe(true);
    for (let n = 5; n < 15; n++) setups.done(n);
    expect(setups.piledUp(60_000)).toBe(false);
  });
});

describe('Retry-After', () => {
  it('is the time until a place is expected, from how calls have been ending', () => {
    const departures = new Departures(0);
    for (let second = 1; second <= 120; second++) departures.left(second * 1000);
    // A call a second: the tenth who is refused waits ten times as long as the first.
    const told = Array.from({ length: 10 }, () => departures.nextPlaceS(120_000, 100, 0.5));
    expect(told[0]).toBeLessThanOrEqual(2);
    expect(told[9]).toBeGreaterThanOrEqual(9);
    expect(told[9]).toBeLessThanOrEqual(11);
    // Nobody was refused for a while: the first place that comes free is the next one's again.
    for (let second = 121; second <= 240; second++) departures.left(second * 1000);
    expect(departures.nextPlaceS(240_000, 100, 0.5)).toBeLessThanOrEqual(2);
  });

  it('follows from the live calls while none has ended', () => {
    const few = new Departures(0).nextPlaceS(0, 3, 0.5);
    const many = new Departures(0).nextPlaceS(0, 180, 0.5);
    expect(few).toBe(60);
    expect(many).toBe(1);
  });

  it('is 1 to 120 and spread, whatever happened', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            afterMs: fc.integer({ min: 0, max: 500_000 }),
            ends: fc.boolean(),
            live: fc.integer({ min: 0, max: 5_000 }),
            chance: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
          }),
          { maxLength: 200 },
        ),
        (events) => {
          let nowMs = 0;
          const departures = new Departures(nowMs);
          for (const { afterMs, ends, live, chance } of events) {
            nowMs += afterMs;
            if (ends) departures.left(nowMs);
            const seconds = departures.nextPlaceS(nowMs, live, chance);
            expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= 120).toBe(true);
          }
        },
      ),
    );
    const full = new Departures(0);
    const told = new Set<number>();
    for (let n = 0; n < 2_000; n++) told.add(full.nextPlaceS(0, 10, (n % 100) / 100));
    expect(Math.max(...told)).toBe(120);
    expect(told.size).toBeGreaterThan(30);
  });
});

describe('the rate of a source', () => {
  it('lets a burst through, then so many a second, and tells how long to wait', () => {
    const rates = new SourceRates({ perSecond: 10, burst: 5 });
    const taken = Array.from({ length: 8 }, () => rates.take('192.0.2.1', 0));
    expect(taken.filter((wait) => wait === 0)).toHaveLength(5);
    expect(taken.at(-1)).toBeCloseTo(100);
    expect(rates.take('192.0.2.1', 99)).toBeGreaterThan(0);
    expect(rates.take('192.0.2.1', 101)).toBe(0);
    expect(rates.take('192.0.2.2', 0)).toBe(0);
  });

  it('never lets more through than burst and rate allow, whatever the times', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 50 }),
        (pauses, perSecond, burst) => {
          const rates = new SourceRates({ perSecond, burst });
          let nowMs = 0;
          let through = 0;
          for (const pause of pauses) {
            nowMs += pause;
            if (rates.take('::1', nowMs) === 0) through++;
          }
          expect(through).toBeLessThanOrEqual(burst + (nowMs / 1000) * perSecond + 1e-6);
        },
      ),
    );
  });

  it('forgets the source that was quiet for longest when there are more than it keeps', () => {
    const rates = new SourceRates({ perSecond: 0.001, burst: 1 });
    rates.take('first', 0);
    for (let n = 0; n < 9_999; n++) rates.take(`source-${n}`, 1);
    expect(rates.take('first', 2)).toBeGreaterThan(0);
    rates.take('one more', 3);
    expect(rates.take('source-1', 4)).toBeGreaterThan(0);
    expect(rates.take('source-0', 4)).toBe(0);
  });
});
