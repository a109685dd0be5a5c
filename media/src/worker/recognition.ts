import type { CallId, ChannelId, Leg, LegId, RecognitionState } from '@earshot/contracts';
import type { AsrLink } from '../asr-link/asr-link.ts';
import type { Channel } from '../leg/channel.ts';
import { nowUs } from './clock.ts';
import type { KeeperParts } from './keeper-parts.ts';
import type { MediaLeg } from './media-leg.ts';

/** The legs' channels with the recogniser: on record, begun, settled, and how it goes with calls that were recorded first. */
export class Recognition {
  readonly #parts: KeeperParts;
  readonly #legs: Map<LegId, MediaLeg>;
  readonly #byChannel = new Map<ChannelId, { leg: MediaLeg; channel: Channel }>();
  /** Of calls that were recorded first, until they are over: what transcripts is told. */
  readonly #states = new Map<CallId, RecognitionState>();
  /** Set once, before anything is opened. */
  asr: AsrLink | null = null;

  /** @param legs the worker's; those that are settled are taken out */
  constructor(parts: KeeperParts, legs: Map<LegId, MediaLeg>) {
    this.#parts = parts;
    this.#legs = legs;
  }

  get channelCount(): number {
    return this.#byChannel.size;
  }

  /** Up to which arrival a channel's packets are in its files; Infinity for one that is gone. */
  coveredUs(id: ChannelId): number {
    return this.#byChannel.get(id)?.channel.coveredUs ?? Infinity;
  }

  /** The leg is about to be open. */
  knows(leg: MediaLeg): void {
    for (const channel of leg.channels) this.#byChannel.set(channel.id, { leg, channel });
  }

  /** The leg could not be opened. */
  forget({ channels }: Leg): void {
    for (const { channel } of channels) this.#byChannel.delete(channel);
  }

  /** How recognition goes with a call of which a further leg comes; null where it has none here. */
  stateOf(callId: CallId): RecognitionState | null {
    const sibling = [...this.#legs.values()].find((other) => other.leg.callId === callId);
    return sibling?.recognition ?? null;
  }

  /** Its file is written, then its channels go to the recogniser. */
  async begin(leg: MediaLeg): Promise<void> {
    await this.save(leg);
    if (leg.recognition !== 'current') this.#tell(leg.leg.callId, leg.recognition);
    for (const channel of leg.channels) {
      const windows = this.#parts.spool.windowsFor(leg.leg, channel.index);
      const { timeline, inherited } = channel;
      this.#parts.ledgers.add(channel.id, timeline.ledger, inherited, nowUs());
      this.asr?.add(channel, windows, {
        attempt: leg.firstAttempt,
        state: leg.recognition,
        config: () => leg.leg.recognition ?? {},
      });
    }
  }

  /** The timelines of its channels have ended. */
  ended(leg: MediaLeg): void {
    for (const channel of leg.channels) this.asr?.ended(channel.id, channel.timeline.endTick);
  }

  save(leg: MediaLeg): Promise<void> {
    leg.saved = leg.saved.then(() => {
      const attempts: Record<string, number> = {};
      const pausedTicks: Record<string, number> = {};
      for (const { id, pausedTick } of leg.channels) {
        attempts[id] = Math.max(leg.firstAttempt, this.asr?.attemptOf(id) ?? 0);
        if (pausedTick !== null) pausedTicks[id] = pausedTick;
      }
      const { diskLow, recognition, totals: closed } = leg;
      return this.#parts.spool.saveLeg(leg.leg, { attempts, pausedTicks, diskLow, recognition, closed });
    });
    return leg.saved;
  }

  /** A channel is committed to its end. */
  settled(id: ChannelId): void {
    const entry = this.#byChannel.get(id);
    if (entry === undefined) return;
    const { leg } = entry;
    const { callId, legId } = leg.leg;
    leg.unsettled.delete(id);
    if (leg.unsettled.size > 0) return;
    this.#legs.delete(legId);
    for (const channel of leg.channels) {
      this.#byChannel.delete(channel.id);
      this.asr?.remove(channel.id);
    }
    const last = ![...this.#legs.values()].some((other) => other.leg.callId === callId);
    if (last) {
      // The call may go on with another dialog, of which nobody says that it was ever behind.
      if ((this.#states.get(callId) ?? 'current') !== 'current') this.#tell(callId, 'current');
      this.#states.delete(callId);
    }
    void this.#parts.spool.forgetLeg(leg.leg, last);
  }

  committed(id: ChannelId, neededTick: number): void {
    const entry = this.#byChannel.get(id);
    if (entry === undefined || entry.leg.leg.record || neededTick <= 0) return;
    if (entry.channel.mayDropFiles(neededTick)) {
      void this.#parts.spool.dropFiles(entry.leg.leg, entry.channel, neededTick);
    }
  }

  /** Recognition of a call that was recorded first was begun, or has caught up. On record, whoever dies next. */
  changed(callId: CallId, state: RecognitionState): void {
    for (const leg of this.#legs.values()) {
      if (leg.leg.callId !== callId) continue;
      leg.recognition = state;
      void this.save(leg);
    }
    this.#tell(callId, state);
    if (state === 'catching-up') this.#parts.begun(callId);
  }

  /** The gateway takes the leg's call for deferred: it is told again where it is not. */
  askedFor({ deferred, callId }: Leg, { recognition }: MediaLeg): void {
    if (deferred === true && recognition !== 'waiting') this.#parts.begun(callId);
  }

  /** There is a link to transcripts (again). */
  connected(): void {
    for (const [callId, state] of this.#states) this.#tell(callId, state);
  }

  #tell(callId: CallId, state: RecognitionState): void {
    this.#states.set(callId, state);
    this.asr?.commit.recognition(callId, state);
  }
}
