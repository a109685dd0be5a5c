import { type ChannelId, type Word, monoUs } from '@earshot/contracts';
import type { FinalSegment } from '../../src/decode/channel-decoder.ts';
import type { ChannelOpening } from '../../src/engine/channel.ts';
import { Engine, type StepReport } from '../../src/engine/engine.ts';
import type { ChannelOwner, LostCode, WordsSink } from '../../src/engine/sink.ts';
import { StepThread } from '../../src/engine/step-thread.ts';
import { describeModel } from '../../src/models/folder.ts';
import type { ModelDescription } from '../../src/models/model.ts';
import { SHIPPED_MODEL, openingOf, until } from './rig.ts';
import { bytesOf } from './speech.ts';

/** What an engine says of its channels, and what it gave them. */
export class Listener implements WordsSink, ChannelOwner {
  congested = false;
  blocked = false;
  readonly finals = new Map<ChannelId, FinalSegment[]>();
  readonly endedAt = new Map<ChannelId, number>();
  readonly creditTick = new Map<ChannelId, number>();
  readonly decidedTick = new Map<ChannelId, number>();
  readonly lostCodes = new Map<ChannelId, LostCode>();

  partial(): void {
    // Partials are looked at through the sockets.
  }
  final(channel: ChannelId, _attempt: number, segment: FinalSegment): void {
    const known = this.finals.get(channel);
    if (known === undefined) this.finals.set(channel, [segment]);
    else known.push(segment);
  }
  progress(): void {
    // Credit says the same.
  }
  ended(channel: ChannelId, _attempt: number, tick: number): void {
    this.endedAt.set(channel, tick);
  }
  credit(channel: ChannelId, _attempt: number, uptoTick: number, decidedTick: number): void {
    this.creditTick.set(channel, uptoTick);
    this.decidedTick.set(channel, decidedTick);
  }
  lost(channel: ChannelId, _attempt: number, code: LostCode): void {
    this.lostCodes.set(channel, code);
  }

  words(channel: ChannelId): Word[] {
    return (this.finals.get(channel) ?? []).flatMap(({ words }) => [...words]);
  }
}

export interface BareEngine {
  readonly engine: Engine;
  readonly model: ModelDescription;
  readonly heard: Listener;
  readonly steps: StepReport[];
  /** Opens a channel, plays it as fast as it is taken, ends it and waits for its last word. */
  play(channel: ChannelId, pcm: Int16Array, changes?: Partial<ChannelOpening>): Promise<void>;
  stop(): Promise<void>;
}

/** The engine with the shipped model, or another, and without its sockets. */
export async function startBareEngine(
  maxChannels: number,
  {
    sizes = [1, 4, 8, 16, 32, 64],
    gatherMs = 0,
    folder = SHIPPED_MODEL,
  }: { sizes?: readonly number[]; gatherMs?: number; folder?: string } = {},
): Promise<BareEngine> {
  const model = describeModel(folder);
  const thread = await StepThread.start(model, maxChannels, sizes);
  const heard = new Listener();
  const steps: StepReport[] = [];
  const engine = new Engine({
    model,
    thread,
    maxChannels,
    sizes,
    gatherMs,
    sink: heard,
    nowMs: () => monoUs() / 1000,
    onStep: (report) => steps.push(report),
    onFailure: (error) => {
      throw error;
    },
  });
  return {
    engine,
    model,
    heard,
    steps,
    play: async (channel, pcm, changes = {}) => {
      const opening = openingOf(channel, changes);
      const { attempt, fromTick } = opening;
      engine.open(opening, heard);
      const bytes = bytesOf(pcm);
      for (let at = 0; at < pcm.length;) {
        const credit = await until(
          'credit',
          () => {
            const upto = (heard.creditTick.get(channel) ?? 0) - fromTick;
            return upto > at ? upto : null;
          },
          120_000,
        );
        const end = Math.min(pcm.length, credit);
        engine.audio(channel, attempt, fromTick + at, monoUs(), bytes.subarray(2 * at, 2 * end));
        at = end;
      }
      engine.end(channel, attempt, fromTick + pcm.length);
      await until('its end', () => heard.endedAt.has(channel), 180_000);
    },
    stop: async () => {
      engine.stop();
      await thread.close();
    },
  };
}
