import type { ChannelId } from '@earshot/contracts';
import type { ChannelOpening } from './channel.ts';
import type { ChannelOwner, LostCode } from './sink.ts';

/**
 * What recognises channels, as the sockets around it see it: the engine of this folder, or one that is reached by network.
 * Words go to the WordsSink that it was made with, credit and losses to each channel's owner. Nothing here throws: what
 * names an unknown channel or an older attempt is dropped.
 */
export interface ChannelHost {
  readonly channelCount: number;
  /** Free share of what it can carry, 0..1. */
  readonly headroom: number;
  open(opening: ChannelOpening, owner: ChannelOwner): void;
  /** @param arrivalUs monotonic microseconds @param body PCM s16le mono 8 kHz, valid during the call only */
  audio(id: ChannelId, attempt: number, startTick: number, arrivalUs: number, body: Uint8Array): void;
  gap(id: ChannelId, attempt: number, toTick: number): void;
  end(id: ChannelId, attempt: number, tick: number): void;
  close(id: ChannelId, attempt: number): void;
  /** What was said so far on the channel becomes final, whatever its attempt. */
  finalise(id: ChannelId): void;
  /** The owner's connection is gone: its channels are forgotten. */
  closeOwner(owner: ChannelOwner): void;
  /** Gives some channels back to their owners, those first that lose least by it. */
  lose(count: number, code: LostCode): void;
  /** Gives every channel back to its owner. */
  loseAll(code: LostCode): void;
  /** The sink takes words again. */
  resume(): void;
  /** Called a few times a second. */
  tick(): void;
  stop(): void;
}
