import { type Leg, TICKS_PER_SECOND } from '@earshot/contracts';
import type { LedgerTeller } from '../commit-link/ledger-teller.ts';
import { type Channel, partOf } from '../leg/channel.ts';
import type { ReadWindow } from '../asr-link/asr-channel.ts';
import { blocksOf } from '../spool/tape.ts';
import type { SpoolRoom } from './spool-room.ts';

type Inherited = Pick<Channel, 'id' | 'index' | 'inherited'>;

/** A ledger is told once a minute at least (commit-link/ledger-teller.ts); some more. */
const UNTOLD_TICKS = 75 * TICKS_PER_SECOND;

/**
 * A predecessor may have had a minute of audio that it told nobody of. What it was is read from the spool, one channel after the
 * other, when the channels are served again; it only fills what nobody said.
 */
export async function fillLedgers(
  legs: readonly { readonly leg: Leg; readonly channels: readonly Inherited[] }[],
  spool: SpoolRoom,
  ledgers: LedgerTeller,
): Promise<void> {
  for (const leg of legs) {
    for (const channel of leg.channels) {
      const { inherited } = channel;
      if (inherited === null || inherited.fromTick === 0) continue;
      const { toTick } = inherited;
      const fromTick = Math.max(0, toTick - UNTOLD_TICKS);
      const part = partOf(
        await blocksBetween(spool.windowsFor(leg.leg, channel.index), fromTick, toTick),
        fromTick,
      );
      if (part !== null) ledgers.fill(channel.id, part);
    }
  }
}

/** What a span is made of, from the spool's blocks of a stretch: one reading is not enough for all of it. */
async function blocksBetween(
  read: ReadWindow,
  fromTick: number,
  toTick: number,
): Promise<{ startTick: number; ticks: number }[]> {
  const blocks: { startTick: number; ticks: number }[] = [];
  for (let at = fromTick; at < toTick;) {
    const window = await read(at, toTick);
    // The first of a window may be the last of the one before, without what it was asked for.
    for (const { startTick, ticks } of blocksOf(window, at, toTick)) blocks.push({ startTick, ticks });
    if (window.endTick <= at) break;
    at = window.endTick;
  }
  return blocks;
}
