import type { Log } from '../log.ts';
import type { SipRequest } from '../parse/message.ts';
import { tagOf } from '../parse/uri.ts';
import type { Connection } from '../transport/flow.ts';
import { Dialog } from './dialog.ts';
import { DialogFile } from './file.ts';
import { dialogId } from './record.ts';

/** All dialogs, by id; confirmed ones are kept on disk too. No timer runs for a dialog that is quiet. */
export class DialogTable {
  readonly #dialogs = new Map<string, Dialog>();
  readonly #idsByCallId = new Map<string, Set<string>>();
  #file: DialogFile | undefined;

  /** With a path, loads the dialogs that an earlier process left. */
  static async open(path: string | undefined, log: Log): Promise<DialogTable> {
    const table = new DialogTable();
    if (path === undefined) return table;
    const record = (id: string) => {
      const dialog = table.#dialogs.get(id);
      return dialog?.confirmed === true ? dialog.record : undefined;
    };
    const all = function* () {
      for (const dialog of table.#dialogs.values()) if (dialog.confirmed) yield dialog.record;
    };
    const { file, records } = await DialogFile.open(path, log, record, all);
    for (const found of records) table.#insert(new Dialog(found, true));
    table.#file = file;
    file.tidy();
    return table;
  }

  get size(): number {
    return this.#dialogs.size;
  }

  /** Connections that peers of dialogs last used. */
  connections(): ReadonlySet<Connection> {
    const used = new Set<Connection>();
    for (const { connection } of this.#dialogs.values()) if (connection !== undefined) used.add(connection);
    return used;
  }

  values(): Iterable<Dialog> {
    return this.#dialogs.values();
  }

  get(id: string): Dialog | undefined {
    return this.#dialogs.get(id);
  }

  /** The dialog an application means when it only names a Call-ID. */
  byCallId(callId: string): Dialog | undefined {
    for (const id of this.#idsByCallId.get(callId) ?? []) return this.#dialogs.get(id);
    return undefined;
  }

  /** The dialog a request from the peer belongs to (RFC 3261 section 12.2.2), by Call-ID and both tags. */
  find(request: SipRequest): Dialog | undefined {
    const theirs = tagOf(request.from) ?? '';
    const ours = tagOf(request.to) ?? '';
    for (const fromTag of [theirs, ours]) {
      const dialog = this.#dialogs.get(dialogId(request.callId, fromTag));
      if (dialog?.record.localTag === ours && dialog.record.remoteTag === theirs) return dialog;
    }
    return undefined;
  }

  add(dialog: Dialog): void {
    this.#insert(dialog);
    this.changed(dialog);
  }

  #insert(dialog: Dialog): void {
    this.#dialogs.set(dialog.id, dialog);
    const ids = this.#idsByCallId.get(dialog.record.callId);
    if (ids === undefined) this.#idsByCallId.set(dialog.record.callId, new Set([dialog.id]));
    else ids.add(dialog.id);
  }

  /** To be called after a change of a record or of `confirmed`. */
  changed(dialog: Dialog): void {
    if (dialog.confirmed) this.#file?.touch(dialog.id);
  }

  remove(dialog: Dialog): void {
    if (this.#dialogs.get(dialog.id) !== dialog) return;
    this.#dialogs.delete(dialog.id);
    const { callId } = dialog.record;
    const ids = this.#idsByCallId.get(callId);
    ids?.delete(dialog.id);
    if (ids?.size === 0) this.#idsByCallId.delete(callId);
    if (dialog.confirmed) this.#file?.touch(dialog.id);
  }

  async close(): Promise<void> {
    await this.#file?.close();
  }
}
