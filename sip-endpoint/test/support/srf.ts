import SrfClass from 'drachtio-srf';

/** The parts of drachtio-srf that the tests use, as they are at run time (its own types lack several). */
export interface SrfRequest {
  readonly method: string;
  readonly body: string;
  readonly calledNumber: string;
  readonly protocol: string;
  readonly source_address: string;
  readonly receivedOn: string | undefined;
  readonly stackDialogId: string;
  get(name: string): string | undefined;
  on(event: 'cancel', run: () => void): void;
}

export interface SrfResponse {
  readonly status: number;
  send(
    status: number,
    options?: { headers?: Record<string, string>; body?: string },
    done?: (error: unknown) => void,
  ): void;
}

type Handler = (req: SrfRequest, res: SrfResponse) => void;

export interface SrfDialog {
  readonly id: string;
  readonly sip: { readonly callId: string; readonly localTag: string; readonly remoteTag: string };
  destroy(): Promise<unknown>;
  modify(sdp: string): Promise<string>;
  request(options: {
    method: string;
    headers?: Record<string, string>;
    body?: string;
  }): Promise<{ status: number }>;
  on(event: 'destroy', run: (req: SrfRequest, reason: string) => void): this;
  on(event: 'info' | 'modify', run: Handler): this;
  on(event: 'ack', run: (req: SrfRequest) => void): this;
}

export interface Srf {
  connect(options: { host: string; port: number; secret: string }): void;
  disconnect(): void;
  on(event: 'connect' | 'error', run: (error: Error | null) => void): this;
  invite(run: Handler): void;
  options(run: Handler): void;
  bye(run: Handler): void;
  info(run: Handler): void;
  createUAS(
    req: SrfRequest,
    res: SrfResponse,
    options: { localSdp: string; headers?: Record<string, string> },
  ): Promise<SrfDialog>;
  request(
    options: { uri: string; method: string },
    done: (
      error: { code?: string } | null,
      sent?: { on(event: 'response', run: (response: { status: number }) => void): void },
    ) => void,
  ): void;
}

export const newSrf = (): Srf => new SrfClass() as unknown as Srf;
