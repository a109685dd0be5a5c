import type { ChannelId } from '../ids.ts';

/**
 * host ↔ its children, on Node's own IPC channel (the one that can carry socket handles). Configuration goes by
 * environment; sockets of the arrows lie in EARSHOT_RUN_DIR (see run-dir.ts).
 */
export interface EngineRow {
  readonly engine: number;
  /** Share of its capacity that is free, 0..1, from step time over chunk time. */
  readonly headroom: number;
  readonly channels: number;
  /** Channels of unbroken speech that it carries in real time, as measured at its start; left out where nobody knows. */
  readonly capacity?: number;
}

export type LentKind = 'rtp' | 'rtcp' | 'sip-udp' | 'sip-tcp' | 'sip-tls' | 'drachtio-tcp';

export type ToChild =
  | { readonly type: 'ping'; readonly id: number }
  /** Finish what is in hand and exit with 0. */
  | { readonly type: 'drain' }
  /**
   * A socket to use and never to close for good: host owns it. The handle travels with the message, but to a process that stood by
   * and was sent it ahead of need. To one that stands by it is for whichever instance that becomes.
   */
  | {
      readonly type: 'lent';
      readonly kind: LentKind;
      readonly port: number;
      readonly channel: ChannelId | null;
      readonly id: number | null;
    }
  /** To a process that stands by: the socket that was sent ahead is given back; close it. */
  | { readonly type: 'lent.back'; readonly port: number }
  /** To a process that stands by: be this instance of your service. */
  | { readonly type: 'become'; readonly instance: number }
  /** All sockets lent to the predecessor have been sent. Always sent once, before anything is asked for. */
  | { readonly type: 'lent.all' }
  | { readonly type: 'lend.failed'; readonly id: number; readonly code: string; readonly message: string }
  | { readonly type: 'engines'; readonly engines: readonly EngineRow[] }
  /** Whether new calls are taken. Not: the node drains, and live calls go on to their end. */
  | { readonly type: 'admission'; readonly open: boolean }
  | { readonly type: 'metrics'; readonly id: number; readonly processes: readonly ProcessMetrics[] };

export interface ProcessMetrics {
  readonly process: string;
  readonly pid: number;
  /** prom-client's getMetricsAsJSON(). */
  readonly metrics: readonly unknown[];
}

export type FromChild =
  /** The program is loaded and waits to be told which instance it is. */
  | { readonly type: 'standing-by' }
  | { readonly type: 'ready'; readonly info: Readonly<Record<string, string | number | boolean>> }
  | {
      readonly type: 'pong';
      readonly id: number;
      readonly metrics: readonly unknown[];
      readonly engine?: EngineRow;
    }
  /**
   * Lend an RTP and an RTCP socket on neighbouring ports (even, odd) for a channel. Answered by two `lent`.
   * `rtpPort`: on this one or on none, since the peer sends to it.
   */
  | { readonly type: 'lend'; readonly id: number; readonly channel: ChannelId; readonly rtpPort?: number }
  | { readonly type: 'return'; readonly channel: ChannelId }
  | { readonly type: 'metrics.get'; readonly id: number }
  /** The user wants new calls to be taken, or not. Host tells everyone, `admission`. */
  | { readonly type: 'admission.set'; readonly open: boolean }
  /** The process cannot go on; `action` says what the user can do. Host prints it; at start it ends everything. */
  | { readonly type: 'fatal'; readonly code: string; readonly message: string; readonly action: string };
