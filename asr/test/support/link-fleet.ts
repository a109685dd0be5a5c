import { type CallZero, type ChannelId, type EngineRow, monoUs } from '@earshot/contracts';
import { createLog } from '@earshot/platform';
import type { AsrChannel } from '../../../media/src/asr-link/asr-channel.ts';
import { AsrLink, type ReopenReason } from '../../../media/src/asr-link/asr-link.ts';
import type { EngineCounts } from '../../../media/src/asr-link/engines.ts';
import { type Loop, Recorded } from './recorded.ts';

const TURN_MS = 20;
const PHASES = 5;
const FRAME_TICKS = 160;

interface Line {
  readonly recorded: Recorded;
  readonly offset: number;
  readonly startedUs: number;
  readonly phase: number;
  playing: boolean;
}

/**
 * Many channels in real time behind a media worker's own link to the engines: tapes, gate, credit, placement and reopening are
 * those of media, only the packets are left out.
 */
export class LinkFleet {
  readonly link: AsrLink;
  readonly reopens = new Map<ReopenReason, number>();
  readonly #lines = new Map<ChannelId, Line>();
  readonly #loop: Loop;
  readonly #gated: boolean;
  readonly #timer: NodeJS.Timeout;
  #turns = 0;
  readonly #startMs = performance.now();
  #phases = 0;

  constructor(runDir: string, engines: EngineCounts, loop: Loop, gated: boolean, worker = 0) {
    this.#loop = loop;
    this.#gated = gated;
    const events = {
      reopened: (reason: ReopenReason) => void this.reopens.set(reason, (this.reopens.get(reason) ?? 0) + 1),
      committed: () => undefined,
      settled: () => undefined,
      recognition: () => undefined,
    };
    this.link = new AsrLink(runDir, worker, engines, events, createLog('media', 'error'), monoUs);
    this.#timer = setInterval(() => this.#catchUpTurns(), TURN_MS);
  }

  table(rows: readonly EngineRow[]): void {
    this.link.table(rows);
  }

  /** A channel begins to speak now. */
  open(id: ChannelId, offset: number): void {
    const recorded = new Recorded(this.#loop, offset, this.#gated);
    const phase = this.#phases++ % PHASES;
    this.#add(id, { recorded, offset, startedUs: monoUs(), phase, playing: true });
  }

  /** The channel ends where it is now. */
  end(id: ChannelId): void {
    const line = this.#lines.get(id)!;
    line.playing = false;
    line.recorded.tape.close();
    this.link.ended(id, line.recorded.tape.endTick);
  }

  /** Plays an ended channel once more under another id, from its beginning, as fast as engines go. */
  again(id: ChannelId, as: ChannelId): void {
    const { recorded: first, offset } = this.#lines.get(id)!;
    const recorded = new Recorded(this.#loop, offset, this.#gated, first);
    this.#add(as, { recorded, offset, startedUs: 0, phase: this.#phases++ % PHASES, playing: false });
    this.link.ended(as, first.tape.endTick);
  }

  lagSeconds(id: ChannelId): number {
    return (this.link.lagTicks(id) ?? 0) / 8000;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.link.close();
  }

  #add(id: ChannelId, line: Line): void {
    this.#lines.set(id, line);
    const zero: CallZero = { wallMs: Date.now(), monoUs: line.startedUs };
    const { recorded } = line;
    const subject: AsrChannel['subject'] = {
      id,
      zero,
      tape: recorded.tape,
      inFiles: true,
      logClock: () => undefined,
    };
    this.link.add(subject, (from, to) => Promise.resolve(recorded.window(from, to)), {
      attempt: 1,
      state: 'current',
      config: () => ({}),
    });
  }

  /** A timer that comes late is made up for. */
  #catchUpTurns(): void {
    const due = Math.floor((performance.now() - this.#startMs) / TURN_MS);
    for (; this.#turns < due; this.#turns++) {
      const nowUs = monoUs();
      for (const line of this.#lines.values()) {
        if (!line.playing || line.phase !== this.#turns % PHASES) continue;
        const { recorded, startedUs } = line;
        const nowTick = Math.floor((nowUs - startedUs) / 125 / FRAME_TICKS) * FRAME_TICKS;
        while (recorded.tape.endTick < nowTick) {
          recorded.playTo(Math.min(nowTick, recorded.tape.endTick + 8000), nowUs);
        }
      }
      // In one go: no socket waits here.
      Array.from(this.link.turn(nowUs));
    }
  }
}
