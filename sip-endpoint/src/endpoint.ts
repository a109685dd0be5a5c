import { catalogue } from '@earshot/contracts';
import { AckWaits } from './core/ack-waits.ts';
import { Addressing } from './core/addressing.ts';
import { AppRequests } from './core/app-requests.ts';
import { AppResponses } from './core/app-responses.ts';
import { Owners, type Context } from './core/context.ts';
import { Inbound } from './core/inbound.ts';
import { ReliableProvisionals } from './core/reliable.ts';
import { DialogTable } from './dialog/table.ts';
import type { Log } from './log.ts';
import type { HeaderLine } from './parse/build.ts';
import {
  headerValue,
  type Answerable,
  type ParseFault,
  type SipRequest,
  type SipResponse,
} from './parse/message.ts';
import { tagOf } from './parse/uri.ts';
import { Counters, METHODS, type EndpointStats } from './stats.ts';
import { Strangers } from './strangers.ts';
import { realTimers, type Timers } from './timers.ts';
import { TransactionLayer } from './transaction/layer.ts';
import type { Connection, Flow, TransportSet, TransportUser } from './transport/flow.ts';
import type { Binding } from './transport/handles.ts';
import type { StreamLimits } from './transport/stream.ts';
import { TlsCredentials, type TlsFiles } from './transport/tls.ts';
import { Transports } from './transport/transports.ts';
import { parseAppMessage } from './wire/command.ts';
import type { AppLink, SipCommand } from './wire/connection.ts';
import { replyFrame } from './wire/leader.ts';
import { WireServer, type WireSide, type WireUser } from './wire/server.ts';

/** drachtio-srf asks for at least v0.8.2 before it pings. */
const VERSION = 'v0.9.10-earshot';

const ALLOW = [...METHODS].join(', ');

/** Of a 403: what the gateway says where a drachtio-server takes this endpoint's place. */
const FORBIDDEN = catalogue.SOURCE_FORBIDDEN.title;
const MAX_LOGGED_CALL_ID = 200;
const NOT_IN_SIP_ALLOW: readonly HeaderLine[] = [['Warning', '399 earshot "not in SIP_ALLOW"']];

export interface SipEndpointOptions {
  /** SIP over UDP: an address to bind, or a lent raw handle. At least one of `udp`, `tcp` and `tls` is needed. */
  readonly udp?: Binding;
  readonly tcp?: Binding;
  readonly tls?: { readonly binding: Binding; readonly files: TlsFiles };
  readonly limits?: StreamLimits;
  /** Where drachtio-srf connects; loopback only. */
  readonly wire: Binding;
  /** What drachtio-srf must authenticate with. */
  readonly secret: string;
  /** Dialog table on disk; without it dialogs do not outlive the process. */
  readonly dialogFile?: string;
  readonly log: Log;
  readonly timers?: Timers;
  /** Host in Contact and Via instead of the local address (PUBLIC_IP). */
  readonly advertisedHost?: string;
  /** Called with the source IP of each request; false is answered with 403 and leaves no state but a count and a line of log. */
  readonly allow?: (ip: string) => boolean;
}

/** What is at both ends of an endpoint in place of sockets: it is tried with millions of messages that way. */
export interface Surroundings {
  readonly timers: Timers;
  transports(user: TransportUser): TransportSet;
  wire(user: WireUser): WireSide;
}

type CoreOptions = Pick<SipEndpointOptions, 'log' | 'timers' | 'advertisedHost' | 'allow'>;

/** An embedded stand-in for drachtio-server: SIP on one side, its wire protocol on the other. */
export class SipEndpoint implements TransportUser, WireUser {
  readonly #options: CoreOptions;
  readonly #counters = new Counters();
  readonly #strangers = new Strangers();
  readonly #dialogs: DialogTable;
  readonly #transactions: TransactionLayer;
  readonly #acks: AckWaits;
  readonly #inbound: Inbound;
  readonly #responses: AppResponses;
  readonly #requests: AppRequests;
  readonly #addressing: Addressing;
  #transports: TransportSet | undefined;
  #wire: WireSide | undefined;
  #credentials: TlsCredentials | undefined;
  #closing = false;

  /** Loads the dialogs, opens all sockets and is ready. Rejects when an address cannot be bound. */
  static async start(options: SipEndpointOptions): Promise<SipEndpoint> {
    if (options.udp === undefined && options.tcp === undefined && options.tls === undefined)
      throw new Error('a SIP endpoint needs udp, tcp or tls');
    if (options.secret === '') throw new Error('a SIP endpoint needs a secret for its applications');
    const dialogs = await DialogTable.open(options.dialogFile, options.log);
    const endpoint = new SipEndpoint(options, dialogs);
    try {
      await endpoint.#open(options);
    } catch (error) {
      await endpoint.close();
      throw error;
    }
    return endpoint;
  }

  /** An endpoint without sockets; its dialogs are in memory. */
  static async between(surroundings: Surroundings, log: Log): Promise<SipEndpoint> {
    const { timers } = surroundings;
    const endpoint = new SipEndpoint({ log, timers }, await DialogTable.open(undefined, log));
    endpoint.#wire = surroundings.wire(endpoint);
    endpoint.#transports = surroundings.transports(endpoint);
    return endpoint;
  }

  private constructor(options: CoreOptions, dialogs: DialogTable) {
    this.#options = options;
    this.#dialogs = dialogs;
    const counters = this.#counters;
    const timers = options.timers ?? realTimers;
    const ignore = (): void => undefined;
    const send: TransactionSend = (bytes, target, failed) => {
      if (this.#transports === undefined) failed(new Error('SIP endpoint is closed'));
      else this.#transports.send(bytes, target, failed);
    };
    const onRetransmitted = (): void => void counters.retransmissions++;
    this.#addressing = new Addressing(options.advertisedHost, (proto) => this.#transports?.local(proto));
    this.#transactions = new TransactionLayer(
      { timers, send, onSent: (status) => counters.responseSent(status), onRetransmitted },
      {
        onRequest: (transaction) => this.#inbound.onRequest(transaction),
        onAck: (ack, flow) => this.#inbound.onAck(ack, flow),
        onCancel: (invite, cancel, flow) => this.#inbound.onCancel(invite, cancel, flow),
      },
    );
    const context: Context = {
      log: options.log,
      timers,
      dialogs,
      transactions: this.#transactions,
      addressing: this.#addressing,
      owners: new Owners(),
      send: (bytes, target) => send(bytes, target, ignore),
      pick: (method) => this.#wire?.pick(method),
    };
    this.#acks = new AckWaits({
      timers,
      send: context.send,
      onRepeated: onRetransmitted,
      onChanged: (dialog) => dialogs.changed(dialog),
      onTimeout: (dialog) => {
        options.log.warn({}, 'no ACK came for an answered call; it is ended');
        this.#requests.endUnasked(dialog, 'ACK timeout');
      },
    });
    const reliable = new ReliableProvisionals({
      timers,
      repeat: (transaction, bytes) => {
        onRetransmitted();
        context.send(bytes, transaction.target);
      },
      onTimeout: (transaction) => this.#inbound.onNoPrack(transaction),
    });
    this.#inbound = new Inbound(context, this.#acks, reliable);
    this.#responses = new AppResponses(context, this.#inbound.pending, this.#acks, reliable);
    this.#requests = new AppRequests(context, this.#acks);
  }

  async #open({ udp, tcp, tls, wire, secret, log, limits }: SipEndpointOptions): Promise<void> {
    // Applications first: a request that waits in a lent socket must not find the wire port missing.
    const greeting = (): string[] => {
      const { advertised, bound } = this.#addressing.greeting();
      return [advertised, VERSION, bound];
    };
    this.#wire = await WireServer.open(wire, { secret, greeting, log }, this);
    this.#credentials = tls && (await TlsCredentials.load(tls.files, log));
    const secure = tls && this.#credentials && { binding: tls.binding, credentials: this.#credentials };
    const sockets = { udp, tcp, tls: secure, log, ...(limits && { limits }) };
    this.#transports = await Transports.open(sockets, this);
    for (const dialog of this.#dialogs.values()) this.#acks.resume(dialog);
    log.info(
      { sip: this.#addressing.greeting().bound, wirePort: this.#wire.port, dialogs: this.#dialogs.size },
      'SIP endpoint is listening',
    );
  }

  /** Port that drachtio-srf connects to. */
  get wirePort(): number {
    return this.#wire?.port ?? 0;
  }

  get udpPort(): number {
    return this.#transports?.local('udp')?.port ?? 0;
  }

  get tcpPort(): number {
    return this.#transports?.local('tcp')?.port ?? 0;
  }

  get tlsPort(): number {
    return this.#transports?.local('tls')?.port ?? 0;
  }

  /** @internal From the transports. */
  connectionsInUse(): ReadonlySet<Connection> {
    return this.#dialogs.connections();
  }

  /** @internal From the transports. */
  onRequest(request: SipRequest, flow: Flow): void {
    this.#guard(() => this.#takeRequest(request, flow));
  }

  #takeRequest(request: SipRequest, flow: Flow): void {
    this.#counters.request(request.method);
    if (!this.#allowed(flow)) {
      if (request.method === 'INVITE' && tagOf(request.to) === undefined) this.#counters.forbiddenCalls++;
      return this.#forbid(request, flow);
    }
    if (!METHODS.has(request.method))
      return this.#transactions.respondStateless(request, flow, 501, 'Not Implemented', [['Allow', ALLOW]]);
    this.#transactions.receiveRequest(request, flow);
  }

  /** @internal From the transports. */
  onResponse(response: SipResponse, flow: Flow): void {
    this.#counters.responseReceived(response.status);
    if (this.#options.allow?.(flow.remoteAddress) === false) return;
    this.#guard(() => this.#transactions.receiveResponse(response, flow));
  }

  /** @internal From the transports. */
  onFault(fault: ParseFault, answerable: Answerable | undefined, flow: Flow): void {
    this.#counters.fault(fault.code);
    this.#options.log.debug({ code: fault.code, proto: flow.proto }, 'SIP message was not accepted');
    if (answerable === undefined) return;
    this.#guard(() => {
      if (!this.#allowed(flow)) return this.#forbid(answerable, flow);
      this.#transactions.respondStateless(answerable, flow, fault.sipStatus, fault.reason);
    });
  }

  /**
   * The last line of defence: one message must not end the process and with it every other call. What lands here
   * is a defect of ours, and `internalErrors` makes it visible.
   */
  #guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#counters.internalErrors++;
      this.#options.log.error({ err: error }, 'a SIP message met a defect and was dropped');
    }
  }

  #allowed(flow: Flow): boolean {
    return this.#options.allow?.(flow.remoteAddress) !== false;
  }

  #forbid(request: Answerable, flow: Flow): void {
    // It ends a call that was refused, and was counted with its INVITE.
    if (request.method === 'ACK') return;
    this.#counters.forbidden++;
    const source = flow.remoteAddress;
    const heldBack = this.#strangers.take(source, performance.now());
    if (heldBack !== null) {
      const method = METHODS.has(request.method) ? request.method : 'OTHER';
      const sipCallId = headerValue(request.headers, 'call-id')?.slice(0, MAX_LOGGED_CALL_ID);
      this.#options.log.warn(
        { method, status: 403, reason: FORBIDDEN, source, sipCallId, ...(heldBack > 0 && { heldBack }) },
        'request refused',
      );
    }
    this.#transactions.respondStateless(request, flow, 403, FORBIDDEN, NOT_IN_SIP_ALLOW);
  }

  /** @internal From the wire server. */
  sip(link: AppLink, command: SipCommand): void {
    this.#guard(() => this.#takeCommand(link, command));
  }

  #takeCommand(link: AppLink, command: SipCommand): void {
    const message = parseAppMessage(command.text);
    if (message === undefined)
      return link.send(replyFrame(command.id, 'NOK', 'Server error: malformed SIP message'));
    const { start } = message;
    if (start.kind === 'request') this.#requests.handle(link, command, message, start.method.toUpperCase());
    else this.#responses.handle(link, command, message, start.status, start.reason);
  }

  /** @internal From the wire server. */
  routed(_link: AppLink): void {
    this.#inbound.pending.routed();
  }

  /** @internal From the wire server. */
  closed(link: AppLink): void {
    if (this.#closing) return;
    this.#options.log.warn({}, 'application connection is gone');
    this.#inbound.pending.lost(link);
  }

  stats(): EndpointStats {
    const counters = this.#counters;
    return {
      requestsByMethod: Object.fromEntries(counters.requests),
      responsesSentByStatus: Object.fromEntries(counters.sent),
      responsesReceivedByStatus: Object.fromEntries(counters.received),
      parseFailuresByCode: Object.fromEntries(counters.faults),
      retransmissions: counters.retransmissions,
      forbidden: counters.forbidden,
      forbiddenCalls: counters.forbiddenCalls,
      internalErrors: counters.internalErrors,
      liveTransactions: this.#transactions.size,
      liveDialogs: this.#dialogs.size,
      pendingRequests: this.#inbound.pending.size,
      tcpConnections: this.#transports?.connections ?? 0,
      certificateExpiresAtMs: this.#credentials?.expiresAtMs,
      applications: this.#wire?.size ?? 0,
    };
  }

  /** Closes sockets and timers and writes the dialog file. Calls are left as they are: no BYE is sent. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#inbound.pending.close();
    this.#acks.close();
    this.#transactions.close();
    await this.#wire?.close();
    await this.#transports?.close();
    this.#credentials?.close();
    this.#transports = undefined;
    await this.#dialogs.close();
  }
}

type TransactionSend = TransportSet['send'];
