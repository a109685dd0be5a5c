import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { OggPacker } from '../../src/recording/ogg-page.ts';
import { lastPage, OggPackets, OggPages } from '../../src/recording/ogg-reader.ts';
import { plainPackets, plainPages } from './ogg.ts';

const folder = mkdtempSync(join(tmpdir(), 'er-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Lengths on both sides of a lacing value's and a page's bounds. */
const length = fc.oneof(
  fc.nat(600),
  fc.constantFrom(0, 254, 255, 256, 509, 510, 511, 65_024, 65_025, 65_026, 70_000, 140_000),
);
const stream = fc.record({
  serial: fc.nat(0xffffffff),
  mostGranules: fc.integer({ min: 1, max: 5000 }),
  packets: fc.array(fc.record({ length, granules: fc.nat(3000), endsPage: fc.boolean() }), {
    minLength: 1,
    maxLength: 40,
  }),
  cut: fc.nat(500),
});
type Stream = typeof stream extends fc.Arbitrary<infer T> ? T : never;

const bytesOf = (n: number, size: number): Buffer => Buffer.alloc(size, n + 1);

function packed({ serial, mostGranules, packets, cut }: Stream): { file: Buffer; granules: number[] } {
  const packer = new OggPacker(serial, mostGranules);
  const granules: number[] = [];
  let granule = 0;
  for (const [n, packet] of packets.entries()) {
    granule += packet.granules;
    granules.push(granule);
    packer.add(bytesOf(n, packet.length), granule);
    if (packet.endsPage && n < packets.length - 1) packer.endPage();
  }
  const end = Math.max(0, granule - cut);
  granules[granules.length - 1] = end;
  packer.finish(end);
  return { file: Buffer.concat(packer.take()), granules };
}

async function readBack(path: string): Promise<{ packets: Buffer[]; last: number | null }> {
  const handle = await open(path, 'r');
  try {
    const pages = new OggPages(handle);
    const joiner = new OggPackets();
    const packets: Buffer[] = [];
    for (let page = await pages.next(); page !== null; page = await pages.next())
      packets.push(...joiner.of(page).map((packet) => Buffer.from(packet)));
    return { packets, last: (await lastPage(handle))?.granule ?? null };
  } finally {
    await handle.close();
  }
}

test('packets of any lengths become pages that a reader which knows only the RFC takes apart again', () => {
  fc.assert(
    fc.property(stream, (given) => {
      const { file, granules } = packed(given);
      const pages = plainPages(file);
      const packets = plainPackets(pages);
      expect(packets.map(({ bytes }) => bytes)).toEqual(
        given.packets.map((packet, n) => bytesOf(n, packet.length)),
      );
      expect(new Set(pages.map((page) => page.serial))).toEqual(new Set([given.serial]));
      // A page's position is that of the last packet that ended on it.
      for (const [n, { granule }] of packets.entries()) {
        const next = packets[n + 1];
        if (next === undefined || next.granule !== granule) expect(Number(granule)).toBe(granules[n]);
      }
    }),
    { numRuns: 60 },
  );
});

test('the reader gives back what was written, and the last position', async () => {
  const path = join(folder, 'whole.ogg');
  await fc.assert(
    fc.asyncProperty(stream, async (given) => {
      const { file, granules } = packed(given);
      writeFileSync(path, file);
      const { packets, last } = await readBack(path);
      expect(packets).toEqual(given.packets.map((packet, n) => bytesOf(n, packet.length)));
      expect(last).toBe(granules.at(-1));
    }),
    { numRuns: 40 },
  );
});

test('of a file with damage anywhere, every packet of whole pages comes, and nothing that was not written', async () => {
  const path = join(folder, 'damaged.ogg');
  const damage = fc.record({
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    kind: fc.constantFrom('flip', 'rubbish', 'cut'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  });
  await fc.assert(
    fc.asyncProperty(stream, damage, async (given, { at, kind, bytes }) => {
      const { file } = packed(given);
      const place = Math.floor(at * file.length);
      if (kind === 'flip') file[place]! ^= bytes[0]! || 1;
      const rest = file.subarray(place);
      const whole =
        kind === 'flip'
          ? file
          : Buffer.concat([
              file.subarray(0, place),
              kind === 'rubbish' ? Buffer.concat([bytes, rest]) : rest.subarray(0, 0),
            ]);
      writeFileSync(path, whole);
      const { packets } = await readBack(path);
      const written = given.packets.map((packet, n) => bytesOf(n, packet.length));
      // What comes is a subsequence of what was written.
      let next = 0;
      for (const packet of packets) {
        while (next < written.length && !written[next]!.equals(packet)) next++;
        expect(next).toBeLessThan(written.length);
        next++;
      }
      // Packets that ended on pages before the damage are all there.
      let before = 0;
      let offset = 0;
      for (const page of plainPages(packed(given).file)) {
        offset += 27 + page.lacing.length + page.body.length;
        if (offset > place) break;
        before += page.lacing.filter((size) => size < 255).length;
      }
      expect(packets.length).toBeGreaterThanOrEqual(before);
    }),
    { numRuns: 60 },
  );
});
