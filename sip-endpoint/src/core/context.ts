import type { Dialog } from '../dialog/dialog.ts';
import type { DialogTable } from '../dialog/table.ts';
import type { Log } from '../log.ts';
import type { Timers } from '../timers.ts';
import type { TransactionLayer } from '../transaction/layer.ts';
import type { Target } from '../transport/flow.ts';
import type { AppLink } from '../wire/connection.ts';
import type { Addressing } from './addressing.ts';

/** What the parts of the core share. */
export interface Context {
  readonly log: Log;
  readonly timers: Timers;
  readonly dialogs: DialogTable;
  readonly transactions: TransactionLayer;
  readonly addressing: Addressing;
  readonly owners: Owners;
  readonly send: (bytes: Buffer, target: Target) => void;
  /** An application that routes this method, in turn. */
  readonly pick: (method: string) => AppLink | undefined;
}

/**
 * Which application a dialog belongs to. When its connection is gone the dialog stays, and goes to the next
 * application that takes one of its requests (our own rule: drachtio-server answers 481).
 */
export class Owners {
  readonly #owners = new WeakMap<Dialog, AppLink>();

  /** The owner, while it is connected. */
  get(dialog: Dialog): AppLink | undefined {
    const link = this.#owners.get(dialog);
    return link?.open === true ? link : undefined;
  }

  set(dialog: Dialog, link: AppLink): void {
    this.#owners.set(dialog, link);
  }
}
