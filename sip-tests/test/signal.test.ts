import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMulaw, encodeMulaw } from '../src/audio.ts';
import { loadDialogue } from '../src/dialogue.ts';
import { oggPackets } from '../src/ogg.ts';
import { lagOf, likeness, seamExcesses } from '../src/signal.ts';
import { decodeWav, encodeWav } from '../src/wav.ts';

const speech = decodeMulaw(loadDialogue('billing').parties.agent.mulaw).subarray(8000, 40_000);

describe('a recording held against its source', () => {
  it('is found where it begins, to the sample', () => {
    const recording = new Int16Array(speech.length + 1234);
    recording.set(speech, 1234);
    const lag = lagOf(speech.subarray(0, 4000), recording, 0, 2000);
    expect(lag.at).toBe(1234);
    expect(lag.correlation).toBeGreaterThan(0.999);
  });

  it('has no error when it was only filtered and delayed by a part of a sample', () => {
    // Half a sample late, a little softer.
    const heard = Int16Array.from(speech, (sample, i) =>
      Math.round(0.4 * sample + 0.4 * (speech[i - 1] ?? 0)),
    );
    expect(likeness(speech, heard).snrDb).toBeGreaterThan(40);
  });

  it('has the error of mu-law when it went through that, and little likeness with a packet missing', () => {
    const { segmentalSnrDb, gainDb } = likeness(speech, decodeMulaw(encodeMulaw(speech)));
    expect(segmentalSnrDb).toBeGreaterThan(33);
    expect(Math.abs(gainDb)).toBeLessThan(0.1);
    const shorter = Int16Array.from([...speech.subarray(0, 8000), ...speech.subarray(8160)]);
    expect(likeness(speech, shorter).segmentalSnrDb).toBeLessThan(12);
  });

  it('has a click where speech is cut off, and none where it goes on', () => {
    const middle = speech.findIndex((sample, i) => i > 2000 && Math.abs(sample) > 6000);
    const cut = speech.slice();
    cut.fill(0, middle, middle + 160);
    expect(Math.max(...seamExcesses(speech, speech, middle, 160, 0))).toBeLessThanOrEqual(0);
    expect(Math.max(...seamExcesses(speech, cut, middle, 160, 0))).toBeGreaterThan(6);
  });
});

describe('a WAV file', () => {
  it('comes back from its bytes, also with other chunks before its data', () => {
    const pcm = fc.int16Array({ minLength: 1, maxLength: 500 });
    fc.assert(
      fc.property(pcm, fc.boolean(), fc.constantFrom(8000, 16_000, 48_000), (samples, stereo, rate) => {
        const channels = stereo ? [samples, samples.map((each) => -each - 1)] : [samples];
        const bytes = encodeWav({ rate, channels });
        const list = Buffer.from('LIST\x03\0\0\0abc\0', 'latin1');
        const longer = Buffer.concat([bytes.subarray(0, 36), list, bytes.subarray(36)]);
        for (const each of [bytes, longer]) {
          const wav = decodeWav(each);
          expect(wav.rate).toBe(rate);
          expect(wav.channels.map((channel) => [...channel])).toEqual(
            channels.map((channel) => [...channel]),
          );
        }
      }),
    );
  });

  it('is refused when it is something else', () => {
    expect(() => decodeWav(Buffer.from('not a WAV file at all'))).toThrow('not a WAV file');
    expect(() => decodeWav(encodeWav({ rate: 8000, channels: [] }).subarray(0, 12))).toThrow('no data');
  });
});

describe('packets in Ogg', () => {
  /** Pages of up to so many segments, so that packets run over their ends. */
  function pages(packets: readonly Buffer[], most: number): Buffer {
    const segments: Buffer[] = packets.flatMap((packet) => {
      const parts: Buffer[] = [];
      for (let at = 0; at <= packet.length; at += 255) parts.push(packet.subarray(at, at + 255));
      return parts;
    });
    const out: Buffer[] = [];
    for (let at = 0; at < segments.length; at += most) {
      const mine = segments.slice(at, at + most);
      const head = Buffer.alloc(27);
      head.write('OggS', 0, 'latin1');
      head[26] = mine.length;
      out.push(head, Buffer.from(mine.map(({ length }) => length)), ...mine);
    }
    return Buffer.concat(out);
  }

  it('come out as they went in, over the ends of pages and with lengths of 255', () => {
    const packet = fc.oneof(
      fc.uint8Array({ maxLength: 900 }),
      fc.constantFrom(0, 254, 255, 256, 510).map((length) => new Uint8Array(length).fill(7)),
    );
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 8 }), fc.integer({ min: 1, max: 255 }), (packets, most) => {
        const buffers = packets.map((each) => Buffer.from(each));
        expect(oggPackets(pages(buffers, most)).map((each) => [...each])).toEqual(
          buffers.map((each) => [...each]),
        );
      }),
    );
  });
});
