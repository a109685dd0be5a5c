import { afterAll, beforeAll, expect, test } from 'vitest';
import { memoryNow } from '../support/memory.ts';
import { type Rig, channelNamed, startRig, until } from '../support/rig.ts';
import { speechTape } from '../support/speech.ts';

const ROWS = 40;
const OPENS = 10_000;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig({ maxChannels: ROWS });
  rig.words.keep = false;
  rig.media.keep = false;
});
afterAll(() => rig.stop());

test(
  'ten thousand channels that open and close leave no memory and no row behind',
  { timeout: 180_000 },
  async () => {
    const { media, service } = rig;
    const tape = speechTape();
    let opened = 0;
    /** As many channels as there are rows, some with audio, some that end, some that are closed as they are. */
    const wave = async (): Promise<void> => {
      const ids = Array.from({ length: ROWS }, () => channelNamed(`churn-${opened++}`));
      for (const id of ids) media.open(id);
      await until('their credit', () => ids.every((id) => media.creditOf(id) !== null));
      for (const [i, channel] of ids.entries()) {
        if (i % 8 === 0) {
          const from = (opened * 977 + i * 4001) % (tape.length - 8000);
          media.send(
            { type: 'audio', channel, attempt: 1, startTick: 0, arrivalUs: 0 },
            tape.subarray(from, from + 5000),
          );
        }
        if (i % 3 === 0) media.send({ type: 'end', channel, attempt: 1, tick: 5000 });
        else media.send({ type: 'close', channel, attempt: 1 });
        media.forget(channel);
      }
      await until('the rows', () => service.engineRow().channels === 0);
    };
    while (opened < OPENS / 5) await wave();
    const before = await memoryNow();
    const last = opened + OPENS;
    while (opened < last) await wave();
    const after = await memoryNow();
    console.log(
      `memory after ${OPENS} more channels: heap ${(after.heapMb - before.heapMb).toFixed(1)}, ` +
        `external ${(after.externalMb - before.externalMb).toFixed(1)}, rss ${(after.rssMb - before.rssMb).toFixed(1)} MiB`,
    );
    expect(after.heapMb - before.heapMb).toBeLessThan(5);
    // A channel's queue alone has 16 KiB.
    expect(after.externalMb - before.externalMb).toBeLessThan(8);
    expect(after.rssMb - before.rssMb).toBeLessThan(100);

    // Every row is there again.
    const all = Array.from({ length: ROWS }, (_, i) => channelNamed(`all-${i}`));
    for (const id of all) media.open(id);
    await until('their credit', () => all.every((id) => media.creditOf(id) !== null));
    expect(service.engineRow()).toMatchObject({ channels: ROWS, headroom: 0 });
  },
);
