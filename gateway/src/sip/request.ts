import type { InviteHeaders } from '../dialects/index.ts';

export interface ResponseOptions {
  readonly reason?: string;
  /** A list becomes a line for each value: WWW-Authenticate must not be joined by commas (RFC 3261 section 7.3.1). */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

/** `sent`: it went out. `cancelled`: the transaction was gone. `failed`: the server refused. `unknown`: no word came. */
export type SendResult = 'sent' | 'cancelled' | 'failed' | 'unknown';

/** A SIP request as the rest of the gateway sees it: no drachtio type goes further than this folder. */
export interface SipRequest extends InviteHeaders {
  readonly method: string;
  readonly callId: string;
  /** The dialog's key: the server's id, or the one made from Call-ID and the From tag. */
  readonly dialogId: string;
  /** Null on a request that opens a dialog. */
  readonly toTag: string | null;
  /** Everything after the header, as it came. */
  readonly body: string;
  readonly source: {
    readonly address: string;
    readonly port: number;
    readonly transport: 'udp' | 'tcp' | 'tls';
  };
  /** Our address that a new request came to. */
  readonly receivedOn: string | null;
  /** Made by the SIP server itself, such as a BYE after an ACK did not come. It must not be answered. */
  readonly fromServer: boolean;
  respond(status: number, options?: ResponseOptions): Promise<SendResult>;
  onCancel(listener: () => void): void;
}
