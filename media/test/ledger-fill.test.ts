import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BLOCK_TICKS, encodeBlock, type Encoding, type LedgerPart } from '@earshot/contracts';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LedgerTeller } from '../src/commit-link/ledger-teller.ts';
import { DiskHealth } from '../src/spool/disk-health.ts';
import { Ledger } from '../src/timeline/ledger.ts';
import { fillLedgers } from '../src/worker/ledger-fill.ts';
import { SpoolRoom } from '../src/worker/spool-room.ts';
import { newCall } from './support/call.ts';
import { quietLog } from './support/null-log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'es-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const block = (encoding: Encoding, n: number): Buffer =>
  encodeBlock({
    encoding,
    channelIndex: 0,
    startTick: n * BLOCK_TICKS,
    ticks: BLOCK_TICKS,
    ssrc: 7,
    extendedSequence: n * 25,
    rtpTimestampAtEnd: 0,
    srtpRollover: 0,
    packetsReceived: 0,
    packetsLost: 0,
    packetsLate: 0,
    vad: 0,
    payload: new Uint8Array(BLOCK_TICKS * (encoding === 'L16' ? 2 : 1)).fill(n),
  });

it.each(['PCMU', 'L16'] as const)(
  'the last 75 s of %s are told from the spool, though that takes several readings',
  async (encoding) => {
    const call = newCall(1);
    const channel = call.channels[0]!;
    // 100 s, and 2 s of them in the middle of the last 75 are not there.
    const numbers = Array.from({ length: 200 }, (_, n) => n).filter((n) => n < 120 || n >= 124);
    mkdirSync(join(folder, 'spool', call.callId), { recursive: true });
    const file = join(folder, 'spool', call.callId, '0-000000.spool');
    writeFileSync(file, Buffer.concat(numbers.map((n) => block(encoding, n))));
    const endTick = 200 * BLOCK_TICKS;
    const filled: LedgerPart[] = [];
    const teller = new LedgerTeller((_channel, fill, part) => fill && filled.push(part) > 0);
    teller.add(channel, new Ledger(endTick), null, 0);
    const spool = new SpoolRoom(folder, 0, new DiskHealth(quietLog), quietLog, 0.05);
    // What a successor reads at first are the last seconds.
    const inherited: LedgerPart = { fromTick: endTick - 16_000, toTick: endTick, spans: [], notes: [] };
    await fillLedgers([{ leg: call.leg, channels: [{ id: channel, index: 0, inherited }] }], spool, teller);
    expect(filled).toEqual([
      {
        fromTick: 25 * 8000,
        toTick: endTick,
        spans: [
          ['received', 35 * 8000],
          ['absent', 2 * 8000],
          ['received', 38 * 8000],
        ],
        notes: [],
      },
    ]);
  },
);
