import { SPAN_KINDS, type LedgerPart, type SpanKind } from '@earshot/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Concealment } from '../src/codec/concealment.ts';
import { LedgerTeller } from '../src/commit-link/ledger-teller.ts';
import { MediaWatch } from '../src/leg/media-watch.ts';
import { newRtpPacket } from '../src/rtp/packet.ts';
import { Ledger } from '../src/timeline/ledger.ts';
import { type AudioSink, Timeline } from '../src/timeline/timeline.ts';
import { powerOf } from '../src/vad/power.ts';

const ZERO = { wallMs: 0, monoUs: 1_000_000_000 };
const usAt = (tick: number): number => ZERO.monoUs + tick * 125;
const SILENT = 0xff;
const LOUD = 0x10;

/** Counts what is placed. */
class Counting implements AudioSink {
  audioTicks = 0;
  gapTicks = 0;
  endTick = 0;
  audio(tick: number, _bytes: Uint8Array, start: number, end: number): void {
    // An expectation a packet would take most of the test's time.
    if (tick !== this.endTick) throw new Error(`audio at ${tick} after ${this.endTick}`);
    this.audioTicks += end - start;
    this.endTick = tick + end - start;
  }
  gap(toTick: number): void {
    this.gapTicks += toTick - this.endTick;
    this.endTick = toTick;
  }
}

const newTimeline = (sink: AudioSink): Timeline =>
  new Timeline(ZERO, 'PCMU', new Concealment('PCMU'), powerOf('PCMU'), sink);

/** A sender whose clock makes (1 + ppm / 1e6) units in the time of one of ours. */
class Sender {
  readonly sink = new Counting();
  readonly timeline = newTimeline(this.sink);
  readonly #ppm: number;
  readonly #random: () => number;
  #sent = 0;
  #extended = 0;
  #restart = true;
  lostBefore = 0;

  constructor(ppm: number, random: () => number) {
    this.#ppm = ppm;
    this.#random = random;
  }

  /** One packet of 20 ms, with up to 30 ms of jitter on its way. */
  send(code: number): void {
    const packet = newRtpPacket();
    packet.bytes = new Uint8Array(160).fill(code);
    packet.end = 160;
    packet.extended = this.#extended++;
    packet.timestamp = (this.#sent * 160) >>> 0;
    packet.restart = this.#restart;
    packet.lostBefore = this.lostBefore;
    this.lostBefore = 0;
    this.#restart = false;
    this.#sent++;
    packet.arrivalUs = usAt(this.ourTick + 240 * this.#random());
    this.timeline.packet(packet);
  }

  lose(count: number): void {
    this.#sent += count;
    this.#extended += count;
    this.lostBefore += count;
  }

  /** By our clock, when what was sent so far has left. */
  get ourTick(): number {
    return (this.#sent * 160) / (1 + this.#ppm / 1e6);
  }
}

const seeded = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

const sumOf = (parts: readonly LedgerPart[], kind: SpanKind): number =>
  parts
    .flatMap((part) => part.spans)
    .filter(([each]) => each === kind)
    .reduce((sum, [, ticks]) => sum + ticks, 0);

describe('a drifting clock', () => {
  for (const ppm of [-200, -50, 50, 200]) {
    it(`of ${ppm} ppm stays within 60 ms of ours over two hours, and the ledger says what was done`, () => {
      const sender = new Sender(ppm, seeded(ppm + 1000));
      const { timeline } = sender;
      const parts: LedgerPart[] = [];
      const dropped: number[] = [];
      let worst = 0;
      for (let n = 0; n < 360_000; n++) {
        sender.send(n % 100 < 30 ? SILENT : LOUD);
        if (n > 3000) worst = Math.max(worst, Math.abs(timeline.endTick - sender.ourTick));
        if (n % 5000 !== 0) continue;
        for (let part = timeline.ledger.tell(); part !== null; part = timeline.ledger.tell())
          parts.push(part);
        timeline.ledger.acknowledged(timeline.ledger.toldTick);
      }
      for (let part = timeline.ledger.tell(); part !== null; part = timeline.ledger.tell()) parts.push(part);
      for (const { notes } of parts) {
        for (const note of notes) if (note.kind === 'dropped') dropped.push(note.value);
      }
      const expected = (360_000 * 160 * Math.abs(ppm)) / 1e6;
      const done = ppm < 0 ? sumOf(parts, 'corrected') : dropped.reduce((sum, ticks) => sum + ticks, 0);
      expect(Math.abs(done - expected)).toBeLessThan(600);
      expect(worst).toBeLessThan(480);
      expect(timeline.rebases).toBe(1);
      const whole = SPAN_KINDS.reduce((sum, kind) => sum + sumOf(parts, kind), 0);
      expect(whole).toBe(timeline.endTick);
      expect(sender.sink.audioTicks + sender.sink.gapTicks).toBe(timeline.endTick);
    }, 120_000);
  }

  it('that is right is left alone, whatever the jitter', () => {
    const sender = new Sender(0, seeded(5));
    for (let n = 0; n < 100_000; n++) sender.send(n % 7 === 0 ? SILENT : LOUD);
    expect(sender.sink.audioTicks).toBe(100_000 * 160);
  });

  it('is corrected in the middle of a noise that never ends, once it is 200 ms off', () => {
    const sender = new Sender(-300, seeded(6));
    for (let n = 0; n < 100_000; n++) sender.send(LOUD);
    expect(Math.abs(sender.timeline.endTick - sender.ourTick)).toBeLessThan(1600 + 400);
    expect(sender.sink.audioTicks).toBeGreaterThan(100_000 * 160);
  });
});

describe('the ledger', () => {
  it('of a timeline names each tick: received, concealed, lost, silent, absent, held', () => {
    const sender = new Sender(0, () => 0);
    const { timeline } = sender;
    for (let n = 0; n < 10; n++) sender.send(LOUD);
    sender.lose(3);
    sender.send(LOUD);
    sender.lose(20);
    sender.send(LOUD);
    timeline.passesAs('held', usAt(timeline.endTick));
    timeline.clock(usAt(timeline.endTick + 20_000), usAt(timeline.endTick));
    const part = timeline.ledger.tell()!;
    // Its end is put at its arrival, which is when the sender's first 20 ms are over.
    expect(part.spans).toEqual([
      ['received', 10 * 160],
      ['concealed', 3 * 160],
      ['received', 160],
      ['lost', 20 * 160],
      ['received', 160],
      ['held', 16_000],
    ]);
    expect(part.fromTick).toBe(0);
    expect(part.toTick).toBe(timeline.endTick);
  });

  it('has its last span named anew from a tick on, and no other', () => {
    const spans = (fromTick: number): LedgerPart['spans'] => {
      const ledger = new Ledger(1000);
      ledger.span('paused', 2000);
      ledger.span('received', 3000);
      ledger.span('absent', 5000);
      ledger.rename('paused', fromTick);
      return ledger.tell()!.spans;
    };
    const before = [
      ['paused', 1000],
      ['received', 1000],
    ];
    expect(spans(0)).toEqual([...before, ['paused', 2000]]);
    expect(spans(3000)).toEqual([...before, ['paused', 2000]]);
    expect(spans(3500)).toEqual([...before, ['absent', 500], ['paused', 1500]]);
    expect(spans(5000)).toEqual([...before, ['absent', 2000]]);
    const only = new Ledger(1000);
    only.rename('paused', 0);
    expect(only.tell()).toBeNull();
    only.span('absent', 1800);
    only.rename('paused', 1000);
    expect(only.tell()!.spans).toEqual([['paused', 800]]);
  });

  it('tells every span once and in order, however it is told, acknowledged, and told again', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({
          does: fc.constant('span' as const),
          kind: fc.constantFrom(...SPAN_KINDS),
          ticks: fc.integer({ min: 1, max: 900 }),
        }),
        fc.record({ does: fc.constant('note' as const), value: fc.nat(9) }),
        fc.record({ does: fc.constantFrom('tell' as const, 'acknowledge' as const, 'rewind' as const) }),
      ),
      { maxLength: 120 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const ledger = new Ledger();
        const truth: SpanKind[] = [];
        const heard: SpanKind[] = [];
        let notes = 0;
        const heardNotes = new Set<string>();
        const take = (): void => {
          const part = ledger.tell();
          if (part === null) return;
          expect(part.fromTick).toBeLessThanOrEqual(heard.length);
          heard.length = part.fromTick;
          for (const [kind, ticks] of part.spans) for (let i = 0; i < ticks; i++) heard.push(kind);
          expect(heard.length).toBe(part.toTick);
          for (const note of part.notes) heardNotes.add(JSON.stringify(note));
        };
        for (const step of all) {
          if (step.does === 'span') {
            for (let i = 0; i < step.ticks; i++) truth.push(step.kind);
            ledger.span(step.kind, truth.length);
          } else if (step.does === 'note') {
            ledger.note('key', 1000 * notes++ + step.value);
          } else if (step.does === 'tell') take();
          else if (step.does === 'acknowledge') ledger.acknowledged(ledger.toldTick);
          else ledger.rewind();
        }
        while (ledger.toldTick < ledger.endTick || ledger.pressing) take();
        expect(heard).toEqual(truth);
        expect(heardNotes.size).toBe(notes);
      }),
      { numRuns: 300 },
    );
  });

  it('is told to the end before a channel is forgotten, and again over a link that broke', () => {
    const sent: { fill: boolean; part: LedgerPart }[] = [];
    let linked = true;
    const teller = new LedgerTeller((_channel, fill, part) => {
      if (linked) sent.push({ fill, part });
      return linked;
    });
    const ledger = new Ledger();
    teller.add('call:0' as never, ledger, null, 0);
    ledger.span('received', 8000);
    teller.second(500_000);
    expect(sent).toEqual([]);
    ledger.span('lost', 16_000);
    ledger.span('received', 17_000);
    teller.second(1_500_000);
    expect(sent.map(({ part }) => [part.fromTick, part.toTick])).toEqual([[0, 17_000]]);
    linked = false;
    ledger.span('received', 20_000);
    teller.ended('call:0' as never);
    linked = true;
    teller.connected();
    expect(sent.map(({ part }) => [part.fromTick, part.toTick])).toEqual([
      [0, 17_000],
      [0, 20_000],
    ]);
    teller.acknowledged('call:0' as never, 20_000);
    teller.connected();
    expect(sent.length).toBe(2);
  });

  it('waits here while nobody acknowledges it, and not in a heap of parts on the other side', () => {
    const channel = 'call:0' as never;
    const sent: LedgerPart[] = [];
    const teller = new LedgerTeller((_channel, _fill, part) => sent.push(part) > 0);
    const ledger = new Ledger();
    teller.add(channel, ledger, null, 0);
    let [nowUs, tick] = [0, 0];
    const minutes = (count: number): void => {
      for (let second = 0; second < 60 * count; second++) {
        ledger.span('received', (tick += 7000));
        ledger.span('lost', (tick += 1000));
        teller.second((nowUs += 1_000_000));
      }
    };
    minutes(10);
    expect(sent.map(({ fromTick, toTick }) => [fromTick, toTick])).toEqual([[0, 8000]]);
    teller.acknowledged(channel, 8000);
    minutes(1);
    // 660 seconds of two spans each, 500 spans to a part.
    expect(sent.length).toBe(4);
    expect(sent.at(-1)!.toTick).toBe(601 * 8000);
    teller.acknowledged(channel, sent.at(-1)!.toTick);
    // Nothing new to tell is nothing to wait for.
    const told = sent.length;
    teller.second((nowUs += 120_000_000));
    teller.acknowledged(channel, sent.at(-1)!.toTick);
    expect(sent.length).toBe(told + 1);
    teller.second((nowUs += 120_000_000));
    ledger.span('received', tick + 8000);
    teller.second((nowUs += 120_000_000));
    expect(sent.length).toBe(told + 2);
  });
});

describe('the watch on a stream', () => {
  it('says within three seconds that what was promised does not come, and once that it is there', () => {
    const watch = new MediaWatch(0);
    expect(watch.changed(2_900_000, true, -Infinity, false)).toBe(false);
    expect(watch.changed(3_100_000, true, -Infinity, false)).toBe(true);
    expect(watch.missing).toBe(true);
    watch.told();
    expect(watch.changed(4_000_000, true, -Infinity, false)).toBe(false);
    expect(watch.changed(5_000_000, true, 4_900_000, false)).toBe(true);
    expect(watch.missing).toBe(false);
  });

  it('says of a stream that a predecessor may have told of whichever is so, once a packet shows it', () => {
    const watch = new MediaWatch(10_000_000);
    watch.tellAgain();
    expect(watch.changed(11_000_000, true, 9_000_000, false)).toBe(false);
    expect(watch.changed(12_000_000, true, 11_900_000, false)).toBe(true);
    expect(watch.missing).toBe(false);
    watch.told();
    expect(watch.changed(13_000_000, true, 12_900_000, false)).toBe(false);
    const silent = new MediaWatch(10_000_000);
    silent.tellAgain();
    expect(silent.changed(13_100_000, true, 9_000_000, false)).toBe(true);
    expect(silent.missing).toBe(true);
  });

  it('leaves a sender alone that is on hold, or that sends nothing while nobody speaks', () => {
    const watch = new MediaWatch(0);
    expect(watch.changed(60_000_000, false, -Infinity, false)).toBe(false);
    expect(watch.changed(60_000_000, true, 20_000_000, true)).toBe(false);
    expect(watch.changed(60_000_000, true, 20_000_000, false)).toBe(true);
  });
});
