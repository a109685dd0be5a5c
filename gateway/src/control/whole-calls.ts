import type { CallId } from '@earshot/contracts';
import type { Stitch } from '../dialects/index.ts';
import type { JournalEntry } from '../journal/record.ts';
import { WholeCall, type CommonSettings, type WholeCallTools } from './whole-call.ts';

const CHECK_EVERY_MS = 250;

/** The calls that there are, and which of them a new dialog belongs to. */
export class WholeCalls {
  readonly #tools: WholeCallTools;
  #interval: NodeJS.Timeout | null = null;
  readonly #changed: (calls: number) => void;
  readonly #all = new Map<CallId, WholeCall>();
  readonly #byKey = new Map<string, WholeCall>();

  /** @param changed how many there are now */
  constructor(tools: WholeCallTools, changed: (calls: number) => void) {
    this.#tools = tools;
    this.#changed = changed;
  }

  get size(): number {
    return this.#all.size;
  }

  byId(callId: CallId): WholeCall | undefined {
    return this.#all.get(callId);
  }

  /** Whether there is any call that a further dialog could be part of. */
  get joinable(): boolean {
    return this.#byKey.size > 0;
  }

  /** The call that a dialog with so many streams goes on with, or null where it is one of its own. */
  find(stitch: Stitch | null, streams: number): WholeCall | null {
    const whole = stitch === null ? undefined : this.#byKey.get(stitch.key);
    return whole?.takes(streams) === true ? whole : null;
  }

  /** A new call. */
  open(callId: CallId, common: CommonSettings, stitch: Stitch | null): WholeCall {
    return this.#add({ callId, common, stitch, info: null });
  }

  /** A call of the journal. Its dialogs are to be added, unless it waits for the next one. */
  adopt({ call: record, waiting }: JournalEntry): WholeCall {
    const { zero, rtpTimeoutS, record: keep, recognition, deferred } = record.legs[0]!;
    const common = {
      zero,
      rtpTimeoutS,
      record: keep,
      ...(recognition === undefined ? {} : { recognition }),
      ...(deferred === undefined ? {} : { deferred }),
    };
    const { callId } = record.info;
    const whole = this.#add({ callId, common, stitch: record.stitch ?? null, info: record.info });
    if (waiting !== undefined && waiting !== null) whole.wait(waiting);
    return whole;
  }

  #add(parts: ConstructorParameters<typeof WholeCall>[0]): WholeCall {
    const whole = new WholeCall(parts, this.#tools, (gone) => this.#remove(gone));
    this.#all.set(whole.callId, whole);
    this.#changed(this.#all.size);
    if (whole.stitch !== null) this.#byKey.set(whole.stitch.key, whole);
    return whole;
  }

  #remove(whole: WholeCall): void {
    this.#all.delete(whole.callId);
    this.#changed(this.#all.size);
    const key = whole.stitch?.key;
    if (key !== undefined && this.#byKey.get(key) === whole) this.#byKey.delete(key);
  }

  /** Looks after those that wait for a further dialog. */
  start(): void {
    this.#interval = setInterval(() => {
      const nowMs = this.#tools.nowMs();
      for (const whole of [...this.#all.values()]) whole.check(nowMs);
    }, CHECK_EVERY_MS);
    this.#interval.unref();
  }

  /** We go down: what waits for a further dialog gets none. */
  finishWaiting(): void {
    for (const whole of [...this.#all.values()]) {
      if (whole.isWaiting && whole.dialogs.length === 0) whole.finish();
    }
  }

  stop(): void {
    if (this.#interval !== null) clearInterval(this.#interval);
    this.#interval = null;
  }
}
