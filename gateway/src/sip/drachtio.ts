import Srf from 'drachtio-srf';

/** A message as it was on the wire. */
export interface SrfMessage {
  readonly raw?: string;
}

/** Where a message came from, or went to: known once it did. */
export interface SrfWay {
  readonly source_address?: string;
  readonly source_port?: number;
  readonly protocol?: string;
}

/** The parts of drachtio-srf that are used, typed as they behave. The package's own types miss most of them. */
export interface SrfRequest extends SrfWay {
  readonly msg: SrfMessage;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly source: string;
  readonly receivedOn?: string;
  readonly stackTxnId?: string;
  readonly stackDialogId?: string;
  readonly socket: { setNoDelay(on: boolean): void };
  on(event: 'cancel', listener: (cancel: SrfMessage) => void): void;
}

export interface SrfResponse extends SrfWay {
  send(
    status: number,
    reason: string | undefined,
    options: { headers: Record<string, string>; body?: string },
    callback: (error: unknown, sent?: SrfMessage) => void,
  ): void;
}

export interface SrfReceivedResponse extends SrfWay {
  readonly msg: SrfMessage;
  readonly status: number;
  readonly body?: string;
  get(name: string): string | undefined;
}

type SendAck = (options: object, callback: (error: unknown, sent?: SrfMessage) => void) => void;

export interface SrfSentRequest extends SrfWay {
  readonly msg: SrfMessage;
  on(event: 'response', listener: (response: SrfReceivedResponse, ack: SendAck) => void): void;
}

export type SrfHandler = (req: SrfRequest, res: SrfResponse, next: () => void) => void;

export interface SrfApp {
  use(handler: SrfHandler): void;
  invite(handler: SrfHandler): void;
  bye(handler: SrfHandler): void;
  options(handler: SrfHandler): void;
  info(handler: SrfHandler): void;
  update(handler: SrfHandler): void;
  connect(options: {
    host: string;
    port: number;
    secret: string;
    reconnect: { retryMaxDelay: number };
  }): void;
  request(
    options: {
      uri: string;
      method: string;
      stackDialogId: string;
      headers: Record<string, string>;
      body?: string;
    },
    callback: (error: Error | null, request?: SrfSentRequest) => void,
  ): void;
  disconnect(): void;
  on(event: 'connect', listener: (error: Error | null, hostports?: string) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'close' | 'reconnecting', listener: () => void): void;
}

export const newSrf = (): SrfApp => new Srf() as unknown as SrfApp;
