import type { ChannelId, LedgerPart } from '@earshot/contracts';
import type { Ledger } from '../timeline/ledger.ts';

/** Where something other than audio ended, it is told within this; else within the longer one. */
const SOON_US = 1_000_000;
const LATER_US = 60_000_000;

interface Told {
  readonly ledger: Ledger;
  /** What a predecessor's spool says, until it is acknowledged; it fills what that one did not get told. */
  fill: LedgerPart | null;
  sinceUs: number;
  /** End of the last part that was told and is not acknowledged; 0: nothing waits. */
  awaitedTick: number;
  /** No more will come: forgotten when all of it is acknowledged. */
  over: boolean;
}

/** Says false when there is no link: what was meant to go is told again when there is one. */
export type SendLedger = (channel: ChannelId, fill: boolean, part: LedgerPart) => boolean;

/** Tells transcripts what became of the channels' ticks, and again until it says that it has it. */
export class LedgerTeller {
  readonly #channels = new Map<ChannelId, Told>();
  readonly #send: SendLedger;

  constructor(send: SendLedger) {
    this.#send = send;
  }

  add(channel: ChannelId, ledger: Ledger, fill: LedgerPart | null, nowUs: number): void {
    const told: Told = { ledger, fill, sinceUs: nowUs, awaitedTick: 0, over: false };
    this.#channels.set(channel, told);
    if (fill !== null) this.#send(channel, true, fill);
  }

  /** More of what the spool of a predecessor says than was read at first. */
  fill(channel: ChannelId, part: LedgerPart): void {
    const told = this.#channels.get(channel);
    if (told === undefined) return;
    told.fill = part;
    this.#send(channel, true, part);
  }

  /** Once a second. While the database is away nothing more is told: it would pile up on the other side, too. */
  second(nowUs: number): void {
    for (const [channel, told] of this.#channels) {
      if (told.awaitedTick > 0) continue;
      const waitedUs = nowUs - told.sinceUs;
      if (waitedUs < (told.ledger.pressing ? SOON_US : LATER_US)) continue;
      this.#tell(channel, told);
      told.sinceUs = nowUs;
    }
  }

  /** The channel's timeline has ended: all of it is told now. */
  ended(channel: ChannelId): void {
    const told = this.#channels.get(channel);
    if (told === undefined) return;
    told.over = true;
    this.#tell(channel, told);
  }

  acknowledged(channel: ChannelId, toTick: number): void {
    const told = this.#channels.get(channel);
    if (told === undefined) return;
    if (told.fill !== null && toTick >= told.fill.toTick) told.fill = null;
    if (toTick >= told.awaitedTick) told.awaitedTick = 0;
    told.ledger.acknowledged(toTick);
    if (told.over && toTick >= told.ledger.endTick) this.#channels.delete(channel);
  }

  /** There is a link (again). */
  connected(): void {
    for (const [channel, told] of this.#channels) {
      if (told.fill !== null) this.#send(channel, true, told.fill);
      told.awaitedTick = 0;
      told.ledger.rewind();
      if (told.over) this.#tell(channel, told);
    }
  }

  #tell(channel: ChannelId, told: Told): void {
    const { ledger } = told;
    for (let part = ledger.tell(); part !== null; part = ledger.tell()) {
      if (!this.#send(channel, false, part)) {
        ledger.rewind();
        return;
      }
      told.awaitedTick = part.toTick;
    }
  }
}
