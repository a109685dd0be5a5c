import type { CallId, LegId } from '@earshot/contracts';
import type { HostLink, Log } from '@earshot/platform';
import type { LedgerTeller } from '../commit-link/ledger-teller.ts';
import type { Wal } from '../spool/wal.ts';
import type { MediaMetrics } from './metrics.ts';
import type { SocketReader } from './socket-reader.ts';
import type { SpoolRoom } from './spool-room.ts';

export interface KeeperParts {
  readonly host: HostLink;
  readonly spool: SpoolRoom;
  readonly wal: Wal;
  readonly metrics: MediaMetrics;
  readonly ledgers: LedgerTeller;
  readonly log: Log;
  /** Reads the sockets of all channels; null where dgram does. */
  readonly reader: SocketReader | null;
  /** A call that was recorded first is being recognised: the gateway is to hear it. */
  begun(callId: CallId): void;
  /** Since when sockets are read without a stall. */
  dryUs(): number;
}

export interface LegFailure {
  readonly legId: LegId;
  readonly error: Error;
}

/** An open under way. */
export interface Opening {
  /** The gateway does not want it any more: it may have placed the leg on another worker. */
  cancelled: boolean;
  /** It is open, or given up. */
  done: Promise<void>;
}
