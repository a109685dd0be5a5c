import type { EngineRow } from '@earshot/contracts';
import { Departures } from './departures.ts';
import { RecognitionRoom } from './recognition-room.ts';
import { type Rate, SourceRates } from './source-rates.ts';

/** A call of two parties; other calls are so rare that they need not be read to be refused. */
export const CHANNELS_OF_A_CALL = 2;
/** The mean of the live calls' channels begins as if so many calls of two had been. */
const SUPPOSED_CALLS = 10;
/** A node that drains is not to be asked again soon. */
const DRAINING_RETRY_S = 60;
const BUSY_RETRY_S = 5;

export interface Live {
  /** Calls that are being set up, live, or being closed. */
  readonly calls: number;
  readonly channels: number;
}

export interface AdmissionOptions {
  readonly maxCalls: number | null;
  /** Of new calls from one source address; null: no limit. */
  readonly rate: Rate | null;
  /** Channels that the range of RTP ports has place for. */
  readonly portChannels: number;
  /** Recognition engines that serve. */
  readonly servingEngines: number;
  /** Only `maxCalls` and the ports limit; what recognition cannot keep up with is recorded, and its words come late. */
  readonly ignoreRecognition: boolean;
  /** 0..1 */
  readonly chance: () => number;
}

/** Label values of earshot_admission_refusals_total. */
export type AdmissionRefusal = 'capacity' | 'max_calls' | 'draining' | 'rate_limit';

export interface NotAdmitted {
  readonly reason: AdmissionRefusal;
  /** Seconds until it is worth trying again. */
  readonly retryAfterS: number;
}

/** Whether a new call is taken. Time is in ms, monotonic. */
export class Admission {
  /** No new calls; live ones go on. */
  draining = false;
  readonly #options: AdmissionOptions;
  readonly #recognition: RecognitionRoom;
  readonly #departures: Departures;
  readonly #rates: SourceRates | null;

  constructor(options: AdmissionOptions, nowMs: number) {
    this.#options = options;
    this.#recognition = new RecognitionRoom(options.servingEngines);
    this.#departures = new Departures(nowMs);
    this.#rates = options.rate === null ? null : new SourceRates(options.rate);
  }

  /** Host's engine table. */
  engines(rows: readonly EngineRow[], nowMs: number): void {
    this.#recognition.table(rows, nowMs);
  }

  /** A call ended. */
  left(nowMs: number): void {
    this.#departures.left(nowMs);
  }

  /** Free share of the engines that serve, 0..1; null while nobody knows. */
  get headroom(): number | null {
    return this.#recognition.headroom;
  }

  /** Calls like the live ones that the node carries; null while nobody knows. */
  capacity(live: Live): number | null {
    const { maxCalls, ignoreRecognition } = this.#options;
    if (!ignoreRecognition && this.#recognition.channels === null) return maxCalls;
    const mean = (SUPPOSED_CALLS * CHANNELS_OF_A_CALL + live.channels) / (SUPPOSED_CALLS + live.calls);
    const calls = Math.floor(this.#channels / mean);
    return maxCalls === null ? calls : Math.min(calls, maxCalls);
  }

  /** Asked once for each INVITE that would begin a call, before anything else is done with it. */
  rate(source: string, nowMs: number): NotAdmitted | null {
    const waitMs = this.#rates?.take(source, nowMs) ?? 0;
    if (waitMs === 0) return null;
    return { reason: 'rate_limit', retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) };
  }

  /**
   * Whether there is room for one more. @param mediaLate the media workers have been late for seconds
   * @returns null: it is taken
   */
  room(live: Live, mediaLate: boolean, nowMs: number): NotAdmitted | null {
    const { maxCalls, chance } = this.#options;
    if (this.draining)
      return { reason: 'draining', retryAfterS: DRAINING_RETRY_S + Math.floor(chance() * DRAINING_RETRY_S) };
    const full = (reason: AdmissionRefusal): NotAdmitted => ({
      reason,
      retryAfterS: this.#departures.nextPlaceS(nowMs, live.calls, chance()),
    });
    if (maxCalls !== null && live.calls >= maxCalls) return full('max_calls');
    if (live.channels + CHANNELS_OF_A_CALL > this.#channels) return full('capacity');
    if (!this.#options.ignoreRecognition && this.#recognition.isFull(nowMs)) return full('capacity');
    if (mediaLate)
      return { reason: 'capacity', retryAfterS: BUSY_RETRY_S + Math.floor(chance() * BUSY_RETRY_S) };
    return null;
  }

  /** All that fit, as far as is known. */
  get #channels(): number {
    const { portChannels, ignoreRecognition } = this.#options;
    return Math.min(portChannels, (ignoreRecognition ? null : this.#recognition.channels) ?? portChannels);
  }
}
