import { TICKS_PER_SECOND } from '@earshot/contracts';
import type { LedgerTeller } from '../commit-link/ledger-teller.ts';
import { partOf } from '../leg/channel.ts';
import { blocksOf } from '../spool/tape.ts';
import type { MediaLeg } from './media-leg.ts';
import type { SpoolRoom } from './spool-room.ts';

/** A ledger is told once a minute at least (commit-link/ledger-teller.ts); some more. */
const UNTOLD_TICKS = 75 * TICKS_PER_SECOND;

/**
 * A predecessor may have had a minute of audio that it told nobody of. What it was is read from the spool, one channel after the
 * other, when the channels are served again; it only fills what nobody said.
 */
export async function fillLedgers(
  legs: readonly MediaLeg[],
  spool: SpoolRoom,
  ledgers: LedgerTeller,
): Promise<void> {
  for (const leg of legs) {
    for (const channel of leg.channels) {
      const { inherited } = channel;
      if (inherited === null || inherited.fromTick === 0) continue;
      const { toTick } = inherited;
      const fromTick = Math.max(0, toTick - UNTOLD_TICKS);
      const window = await spool.windowsFor(leg.leg, channel.index)(fromTick, toTick);
      const part = partOf(blocksOf(window, fromTick, toTick), fromTick);
      if (part !== null) ledgers.fill(channel.id, part);
    }
  }
}
