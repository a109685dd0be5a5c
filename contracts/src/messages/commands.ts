import type { CallId } from '../ids.ts';

/**
 * post-call and dashboard-api → transcripts, on transcripts' `commands` socket: everyone else's way to change the
 * call log. `done` follows the database commit; `refused` carries a code of the error catalogue.
 */
export type ToCommands = {
  readonly type: 'recording.ready';
  readonly id: number;
  readonly callId: CallId;
  /** File name below DATA_DIR/recordings. */
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly durationMs: number;
};

export type FromCommands =
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'refused'; readonly id: number; readonly code: string; readonly message: string };
