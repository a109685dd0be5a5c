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
  /** Of those, what waits for recognition. */
  readonly deferredCalls: number;
  readonly deferredChannels: number;
}

/** What the media workers say of themselves. */
export interface MediaState {
  /** They have been late for seconds, or calls pile up before them. */
  readonly late: boolean;
  /** Calls that have ended and wait for recognition. */
  readonly endedWaiting: number;
  /** The disk of one of them has less than its reserve. */
  readonly diskScarce: boolean;
}

export interface AdmissionOptions {
  readonly maxCalls: number | null;
  /** Of new calls from one source address; null: no limit. */
  readonly rate: Rate | null;
  /** Channels that the range of RTP ports has place for. */
  readonly portChannels: number;
  /** Recognition engines that serve. */
  readonly servingEngines: number;
  /** Of the machine. */
  readonly cores: number;
  /** Calls that may wait for recognition at once; null: half as many as it has room for. */
  readonly recordFirstCalls: number | null;
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

/** A call is taken, taken and recorded first, or not taken. */
export type Room = 'taken' | 'recorded-first' | NotAdmitted;

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
    this.#recognition = new RecognitionRoom(options.servingEngines, options.cores);
    this.#departures = new Departures(nowMs);
    this.#rates = options.rate === null ? null : new SourceRates(options.rate);
  }

  /** Host's engine table. @param catchingUp engines are busy with calls that were recorded first */
  engines(rows: readonly EngineRow[], nowMs: number, catchingUp = false): void {
    this.#recognition.table(rows, nowMs, catchingUp);
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

  /** The refusal of a node that drains; null while it does not. */
  get drained(): NotAdmitted | null {
    if (!this.draining) return null;
    const retryAfterS = DRAINING_RETRY_S + Math.floor(this.#options.chance() * DRAINING_RETRY_S);
    return { reason: 'draining', retryAfterS };
  }

  /** Whether there is room for one more. */
  room(live: Live, media: MediaState, nowMs: number): Room {
    const { maxCalls, chance, portChannels } = this.#options;
    const { drained } = this;
    if (drained !== null) return drained;
    const full = (reason: AdmissionRefusal): NotAdmitted => ({
      reason,
      retryAfterS: this.#departures.nextPlaceS(nowMs, live.calls, chance()),
    });
    if (maxCalls !== null && live.calls >= maxCalls) return full('max_calls');
    if (live.channels + CHANNELS_OF_A_CALL > portChannels) return full('capacity');
    const recognised = this.#recognises(live, nowMs);
    if (!recognised && !this.#mayWait(live, media)) return full('capacity');
    if (media.late)
      return { reason: 'capacity', retryAfterS: BUSY_RETRY_S + Math.floor(chance() * BUSY_RETRY_S) };
    return recognised ? 'taken' : 'recorded-first';
  }

  /** Recognition keeps up with one more. */
  #recognises({ channels, deferredChannels }: Live, nowMs: number): boolean {
    if (this.#options.ignoreRecognition) return true;
    const fit = this.#recognition.channels ?? Infinity;
    return channels - deferredChannels + CHANNELS_OF_A_CALL <= fit && !this.#recognition.isFull(nowMs);
  }

  /** One more may be recorded and wait for its words. */
  #mayWait({ deferredCalls }: Live, { endedWaiting, diskScarce }: MediaState): boolean {
    const half = Math.floor((this.#recognition.channels ?? 0) / CHANNELS_OF_A_CALL / 2);
    return !diskScarce && deferredCalls + endedWaiting < (this.#options.recordFirstCalls ?? half);
  }

  /** All that fit, as far as is known. */
  get #channels(): number {
    const { portChannels, ignoreRecognition } = this.#options;
    return Math.min(portChannels, (ignoreRecognition ? null : this.#recognition.channels) ?? portChannels);
  }
}
