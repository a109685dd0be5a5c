import Srf from 'drachtio-srf';

/** The parts of drachtio-srf that are used, typed as they behave. The package's own types miss most of them. */
export interface SrfRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly msg: { readonly raw?: string };
  readonly source: string;
  readonly source_address?: string;
  readonly source_port?: number;
  readonly protocol?: string;
  readonly receivedOn?: string;
  readonly stackTxnId?: string;
  readonly stackDialogId?: string;
  readonly socket: { setNoDelay(on: boolean): void };
  on(event: 'cancel', listener: () => void): void;
}

export interface SrfResponse {
  send(
    status: number,
    reason: string | undefined,
    options: { headers: Record<string, string>; body?: string },
    callback: (error: unknown) => void,
  ): void;
}

export interface SrfSentRequest {
  on(event: 'response', listener: (response: { readonly status: number }) => void): void;
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
    },
    callback: (error: Error | null, request?: SrfSentRequest) => void,
  ): void;
  disconnect(): void;
  on(event: 'connect', listener: (error: Error | null, hostports?: string) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'close' | 'reconnecting', listener: () => void): void;
}

export const newSrf = (): SrfApp => new Srf() as unknown as SrfApp;
