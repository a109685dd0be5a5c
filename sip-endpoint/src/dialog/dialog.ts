import type { ClientTransaction } from '../transaction/client.ts';
import type { ServerTransaction } from '../transaction/server.ts';
import type { Connection, Target } from '../transport/flow.ts';
import type { DialogRecord } from './record.ts';

/** The last INVITE that we sent in a dialog: its ACK is made by the application's command. */
export interface SentInvite {
  readonly seq: number;
  readonly transaction: ClientTransaction;
  /** Final status; undefined until it came. */
  status: number | undefined;
  /** The ACK as sent, repeated for each repeated 2xx. */
  ack: { readonly bytes: Buffer; readonly target: Target } | undefined;
}

/** A dialog while this process lives: its record, and what is going on in it. */
export class Dialog {
  readonly record: DialogRecord;
  /** Early until our 2xx; early dialogs are not written to disk. */
  confirmed: boolean;
  /** Connection that the peer last used. */
  connection: Connection | undefined;
  /** The peer's INVITE that has no final response yet. */
  receivedInvite: ServerTransaction | undefined;
  sentInvite: SentInvite | undefined;

  constructor(record: DialogRecord, confirmed: boolean) {
    this.record = record;
    this.confirmed = confirmed;
  }

  get id(): string {
    return this.record.id;
  }
}
