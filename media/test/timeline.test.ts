import fc from 'fast-check';
import { silenceByteOf, ULAW_TO_LINEAR } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import { Concealment } from '../src/codec/concealment.ts';
import { transcodeTable } from '../src/codec/transcode.ts';
import { newRtpPacket } from '../src/rtp/packet.ts';
import { MAX_FILLED_TICKS } from '../src/timeline/timeline.ts';
import { Stream, usAt } from './support/stream.ts';

describe('timeline', () => {
  it('puts the end of the first packet at its arrival, and the time before it is a gap', () => {
    const stream = new Stream();
    stream.send(1, 777, 8160);
    expect(stream.ledger.spans).toEqual([
      ['gap', 0, 8000],
      ['audio', 8000, 8160],
    ]);
  });

  it('places every packet by its timestamp exactly, over wraps, losses and pauses, however late it comes', () => {
    const steps = fc.array(
      fc.record({
        lost: fc.constantFrom(0, 0, 0, 0, 1, 2, 5, 12, 40),
        pauseTicks: fc.constantFrom(0, 0, 0, 0, 0, 80, 400, 1601, 30_000),
        ticks: fc.constantFrom(80, 160, 160, 240),
        lateTicks: fc.integer({ min: 0, max: 2000 }),
      }),
      { minLength: 1, maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.constantFrom(0, 4_294_967_200, 2_147_483_600), (packets, firstTimestamp) => {
        const stream = new Stream();
        let timestamp = firstTimestamp;
        let tick = 4000;
        let extended = 65_500;
        let audio = 0;
        stream.send(extended, timestamp, tick + 160);
        timestamp += 160;
        tick += 160;
        audio += 160;
        for (const { lost, pauseTicks, ticks, lateTicks } of packets) {
          const hole = lost * 160 + pauseTicks;
          extended += lost + 1;
          timestamp += hole;
          tick += hole;
          if (hole > 0 && hole <= MAX_FILLED_TICKS) audio += hole;
          stream.send(extended, timestamp, tick + ticks + lateTicks, ticks);
          const piece = stream.ledger.pieces.at(-1)!;
          expect([piece.from, piece.to]).toEqual([tick, tick + ticks]);
          timestamp += ticks;
          tick += ticks;
          audio += ticks;
        }
        const heard = stream.ledger.pieces.filter((piece) => piece.kind === 'audio');
        expect(heard.reduce((sum, piece) => sum + piece.to - piece.from, 0)).toBe(audio);
        expect(stream.timeline.endTick).toBe(tick);
        expect(stream.timeline.rebases).toBe(1);
      }),
      { numRuns: 500 },
    );
  });

  it('conceals a loss of up to 200 ms, and leaves a gap for a longer one', () => {
    const stream = new Stream();
    stream.send(1, 0, 160);
    stream.send(12, 160 + 1600, 1920);
    stream.send(23, 1920 + 1760, 3840);
    expect(stream.ledger.spans).toEqual([
      ['audio', 0, 160],
      ['audio', 160, 1760],
      ['audio', 1760, 1920],
      ['gap', 1920, 3680],
      ['audio', 3680, 3840],
    ]);
    const concealed = stream.ledger.pieces[1]!.codes.map((code) => Math.abs(ULAW_TO_LINEAR[code]!));
    expect(concealed[0]).toBeGreaterThan(1000);
    expect(concealed[300]).toBeLessThan(concealed[0]!);
    expect(new Set(concealed.slice(480))).toEqual(new Set([0]));
  });

  it('fills a short pause of the sender with silence, and leaves a gap for a longer one', () => {
    const stream = new Stream();
    stream.send(1, 0, 160);
    stream.send(2, 160 + 400, 720);
    stream.send(3, 720 + 16_000, 16_880);
    expect(stream.ledger.spans.slice(1)).toEqual([
      ['audio', 160, 560],
      ['audio', 560, 720],
      ['gap', 720, 16_720],
      ['audio', 16_720, 16_880],
    ]);
    expect(new Set(stream.ledger.pieces[1]!.codes)).toEqual(new Set([silenceByteOf('PCMU')]));
  });

  it('trusts the timestamps of a backlog that is read in one burst, seconds late', () => {
    const stream = new Stream();
    stream.send(1, 0, 160);
    for (let n = 1; n <= 200; n++) stream.send(1 + n, n * 160, 40_000);
    expect(stream.timeline.endTick).toBe(201 * 160);
    expect(stream.timeline.rebases).toBe(1);
  });

  it('starts anew by arrival with a new stream, never before its end', () => {
    const stream = new Stream();
    for (let n = 0; n < 10; n++) stream.send(1 + n, n * 160, 160 * (n + 1));
    stream.startAnew();
    stream.send(9000, 123_456, 8000);
    expect(stream.ledger.spans.slice(-2)).toEqual([
      ['gap', 1600, 7840],
      ['audio', 7840, 8000],
    ]);
    stream.startAnew();
    stream.send(77, 5, 8010);
    expect(stream.ledger.spans.at(-1)).toEqual(['audio', 8000, 8160]);
  });

  it('does not believe a timestamp that runs more than a second ahead of arrival, or goes back', () => {
    const stream = new Stream();
    stream.send(1, 0, 160);
    stream.send(2, 160 + 9000, 320);
    expect(stream.timeline.endTick).toBe(320);
    stream.send(3, 9320, 480);
    expect(stream.timeline.endTick).toBe(480);
    stream.send(4, 9480 - 5000, 640);
    expect(stream.timeline.endTick).toBe(640);
    expect(stream.timeline.rebases).toBe(3);
  });

  it('goes on from a checkpoint in the middle of a packet with the rest of it', () => {
    const stream = new Stream();
    stream.timeline.restore(4000, 1, 24, 10_100);
    stream.ledger.end = 4000;
    const packet = newRtpPacket();
    packet.bytes = Uint8Array.from({ length: 160 }, (_, i) => i);
    packet.end = 160;
    packet.extended = 25;
    packet.timestamp = 10_000;
    packet.arrivalUs = usAt(4060);
    stream.timeline.packet(packet);
    expect(stream.ledger.spans).toEqual([['audio', 4000, 4060]]);
    expect(stream.ledger.pieces[0]!.codes[0]).toBe(100);
  });

  it('gives packets without audio no time', () => {
    const stream = new Stream();
    stream.send(1, 0, 160);
    stream.send(2, 160, 320, 0);
    stream.send(3, 160, 320);
    expect(stream.ledger.spans).toEqual([
      ['audio', 0, 160],
      ['audio', 160, 320],
    ]);
  });
});

describe('codec', () => {
  it('brings one law into the other within a quantisation step', () => {
    const table = transcodeTable('PCMA', 'PCMU');
    expect(table.length).toBe(256);
    expect(ULAW_TO_LINEAR[table[silenceByteOf('PCMA')]!]!).toBeLessThanOrEqual(8);
  });

  it('conceals with silence when nothing was heard yet', () => {
    const out = new Uint8Array(100);
    new Concealment('PCMA').conceal(out, 100);
    expect(new Set(out)).toEqual(new Set([silenceByteOf('PCMA')]));
  });
});
