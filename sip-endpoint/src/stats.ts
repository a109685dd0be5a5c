import type { FaultCode } from './parse/message.ts';

/** Counters since the start, and what is alive now. */
export interface EndpointStats {
  readonly requestsByMethod: Readonly<Record<string, number>>;
  readonly responsesSentByStatus: Readonly<Record<string, number>>;
  readonly responsesReceivedByStatus: Readonly<Record<string, number>>;
  readonly parseFailuresByCode: Readonly<Record<string, number>>;
  /** Messages repeated by us and repeats received from peers. */
  readonly retransmissions: number;
  /** Requests refused by `allow`, ACKs not counted. */
  readonly forbidden: number;
  /** INVITEs among them that would have begun a call. */
  readonly forbiddenCalls: number;
  /** Messages that met a defect of ours; anything but 0 is to be reported. */
  readonly internalErrors: number;
  readonly liveTransactions: number;
  readonly liveDialogs: number;
  readonly pendingRequests: number;
  /** Over TCP and TLS. */
  readonly tcpConnections: number;
  /** When the certificate of SIP over TLS runs out, in ms since 1970; undefined without TLS. */
  readonly certificateExpiresAtMs: number | undefined;
  readonly applications: number;
}

/** Methods that we know; others are counted together, since peers choose their names. */
export const METHODS: ReadonlySet<string> = new Set(
  'INVITE ACK BYE CANCEL OPTIONS INFO UPDATE PRACK SUBSCRIBE NOTIFY REFER MESSAGE REGISTER PUBLISH'.split(
    ' ',
  ),
);

export class Counters {
  readonly requests = new Map<string, number>();
  readonly sent = new Map<number, number>();
  readonly received = new Map<number, number>();
  readonly faults = new Map<FaultCode, number>();
  retransmissions = 0;
  forbidden = 0;
  forbiddenCalls = 0;
  internalErrors = 0;

  request(method: string): void {
    increment(this.requests, METHODS.has(method) ? method : 'OTHER');
  }

  responseSent(status: number): void {
    increment(this.sent, status);
  }

  responseReceived(status: number): void {
    increment(this.received, status);
  }

  fault(code: FaultCode): void {
    increment(this.faults, code);
  }
}

function increment<K>(map: Map<K, number>, key: K): void {
  map.set(key, (map.get(key) ?? 0) + 1);
}
