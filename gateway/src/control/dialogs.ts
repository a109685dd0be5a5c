import type { Leg, LegId } from '@earshot/contracts';
import { CHANNELS_OF_A_CALL, type Live } from '../admission/admission.ts';
import type { CallEvent } from '../call/machine.ts';
import type { Dialog } from './dialog.ts';

/** The dialogs that there are, by their id. A call may have several: whole-calls.ts. */
export class Dialogs {
  readonly #all = new Map<string, Dialog>();
  #whenEmpty: (() => void) | null = null;

  get size(): number {
    return this.#all.size;
  }

  /** As they are now. */
  get all(): readonly Dialog[] {
    return [...this.#all.values()];
  }

  get(dialogId: string): Dialog | undefined {
    return this.#all.get(dialogId);
  }

  add(dialog: Dialog): void {
    this.#all.set(dialog.dialogId, dialog);
  }

  remove(dialog: Dialog): void {
    if (this.#all.get(dialog.dialogId) !== dialog) return;
    this.#all.delete(dialog.dialogId);
    if (this.#all.size === 0) this.#whenEmpty?.();
  }

  /** Resolves when there is none. */
  empty(): Promise<void> {
    return this.#all.size === 0
      ? Promise.resolve()
      : new Promise<void>((resolve) => (this.#whenEmpty = resolve));
  }

  /** The legs that should be on a worker now. */
  legsOn(worker: number): Leg[] {
    return this.all.flatMap((dialog) => dialog.legsOn(worker));
  }

  /** Something happened on a worker. @param legId only to the dialog that has the leg */
  tell(event: CallEvent, worker: number, legId?: LegId): void {
    const isMeant = (dialog: Dialog): boolean =>
      legId === undefined ? dialog.isOn(worker) : dialog.hasLegOn(worker, legId);
    for (const dialog of this.all) if (isMeant(dialog)) dialog.dispatch(event);
  }

  /** Counted by ourselves, so that what was admitted this instant is in it. @param calls which the dialogs belong to */
  live(calls: number): Live {
    let channels = 0;
    let deferredChannels = 0;
    const deferred = new Set<object>();
    for (const { record, whole } of this.#all.values()) {
      const count = record === null ? CHANNELS_OF_A_CALL : record.ports.length;
      channels += count;
      if (!whole.deferred) continue;
      deferred.add(whole);
      deferredChannels += count;
    }
    return { calls, channels, deferredCalls: deferred.size, deferredChannels };
  }
}
