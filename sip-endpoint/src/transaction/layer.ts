import { hash, randomBytes } from 'node:crypto';
import { buildResponse, type HeaderLine } from '../parse/build.ts';
import { MAGIC_COOKIE } from '../parse/parse.ts';
import type { Answerable, SipRequest, SipResponse, Via } from '../parse/message.ts';
import { tagOf } from '../parse/uri.ts';
import type { Timers } from '../timers.ts';
import { responseTarget, type Flow, type Target } from '../transport/flow.ts';
import { ClientTransaction, clientKey, type ClientUser, type OutgoingRequest } from './client.ts';
import { ServerTransaction } from './server.ts';

/** What the transactions tell the layer above. */
export interface TransactionUser {
  onRequest(transaction: ServerTransaction): void;
  /** An ACK that no failed INVITE absorbed: it is for a 2xx. `invite` is set when the branch matched one. */
  onAck(ack: SipRequest, flow: Flow): void;
  /** A CANCEL for an INVITE without a final response; the CANCEL itself is answered. */
  onCancel(invite: ServerTransaction, cancel: SipRequest, flow: Flow): void;
}

export interface LayerOptions {
  readonly timers: Timers;
  readonly send: (bytes: Buffer, target: Target, failed: (error: Error) => void) => void;
  readonly onSent: (status: number) => void;
  readonly onRetransmitted: () => void;
  /** Live server transactions; beyond it new requests are refused without state. */
  readonly maxTransactions?: number;
}

const ignore = (): void => undefined;

/** Finds or makes the transaction of each message (RFC 3261 sections 17.1.3 and 17.2.3). */
export class TransactionLayer {
  readonly #options: LayerOptions;
  readonly #user: TransactionUser;
  readonly #servers = new Map<string, ServerTransaction>();
  readonly #merges = new Map<string, ServerTransaction>();
  readonly #clients = new Map<string, ClientTransaction>();
  readonly #clientsById = new Map<string, ClientTransaction>();
  readonly #tagSecret = randomBytes(16).toString('hex');
  readonly #max: number;

  constructor(options: LayerOptions, user: TransactionUser) {
    this.#options = options;
    this.#user = user;
    this.#max = options.maxTransactions ?? 65_536;
  }

  /** Transactions that exist now, of both kinds. */
  get size(): number {
    return this.#servers.size + this.#clients.size;
  }

  receiveRequest(request: SipRequest, flow: Flow): void {
    const { method } = request;
    if (method === 'ACK') {
      const invite = this.#servers.get(serverKey(request, 'INVITE'));
      if (invite === undefined || !invite.onAck()) this.#user.onAck(request, flow);
      return;
    }
    const key = serverKey(request, method);
    const known = this.#servers.get(key);
    if (known !== undefined) {
      this.#options.onRetransmitted();
      return known.onRetransmission();
    }
    if (this.#servers.size >= this.#max)
      return this.respondStateless(request, flow, 503, 'Service Unavailable', [['Retry-After', '5']]);
    const merge = mergeKey(request);
    const merged = tagOf(request.to) === undefined && method !== 'CANCEL' && this.#merges.has(merge);
    const transaction = this.#open(key, request, flow);
    // RFC 3261 section 8.2.2.2: the same request over another path.
    if (merged) return this.respond(transaction, 482, 'Loop Detected');
    if (method === 'CANCEL') return this.#cancel(transaction, flow);
    this.#merges.set(merge, transaction);
    if (method === 'INVITE') this.respond(transaction, 100, 'Trying');
    this.#user.onRequest(transaction);
  }

  #open(key: string, request: SipRequest, flow: Flow): ServerTransaction {
    const transaction = new ServerTransaction(key, request, flow, responseTarget(request.via, flow), {
      timers: this.#options.timers,
      send: (bytes, target) => this.#options.send(bytes, target, ignore),
      retransmitted: this.#options.onRetransmitted,
      terminated: (ended) => {
        this.#servers.delete(ended.key);
        const merge = mergeKey(ended.request);
        if (this.#merges.get(merge) === ended) this.#merges.delete(merge);
      },
    });
    this.#servers.set(key, transaction);
    return transaction;
  }

  #cancel(transaction: ServerTransaction, flow: Flow): void {
    const invite = this.#servers.get(serverKey(transaction.request, 'INVITE'));
    if (invite === undefined) return this.respond(transaction, 481, 'Call/Transaction Does Not Exist');
    // Same To tag as the INVITE's responses (RFC 3261 section 9.2).
    invite.toTag ??= newTag();
    transaction.toTag = invite.toTag;
    this.respond(transaction, 200, 'OK');
    if (invite.pending) this.#user.onCancel(invite, transaction.request, flow);
  }

  /** Sends a response that has no more than a status and a few headers. */
  respond(
    transaction: ServerTransaction,
    status: number,
    reason: string,
    headers?: readonly HeaderLine[],
  ): void {
    if (status > 100) transaction.toTag ??= newTag();
    const bytes = buildResponse(transaction.request, {
      status,
      reason,
      toTag: transaction.toTag,
      ...(headers && { headers }),
    });
    this.respondBytes(transaction, status, bytes);
  }

  /** Sends a response; false when a final one went before. */
  respondBytes(transaction: ServerTransaction, status: number, bytes: Buffer): boolean {
    const sent = transaction.respond(status, bytes);
    if (sent) this.#options.onSent(status);
    return sent;
  }

  /** Answers without keeping state; the To tag is the same for each repeat (RFC 3261 section 8.2.7). */
  respondStateless(
    request: SipRequest | Answerable,
    flow: Flow,
    status: number,
    reason: string,
    headers: readonly HeaderLine[] = [],
  ): void {
    if (request.method === 'ACK') return;
    // In one piece: a keyed hash object for each was the dearest thing in refusing a flood.
    const toTag = hash(
      'sha256',
      `${this.#tagSecret}|${request.via.params.get('branch')}|${flow.remoteAddress}`,
    ).slice(0, 16);
    const bytes = buildResponse(request, { status, reason, toTag, headers });
    this.#options.onSent(status);
    this.#options.send(bytes, responseTarget(request.via, flow), ignore);
  }

  receiveResponse(response: SipResponse, flow: Flow): void {
    const branch = response.via.params.get('branch') ?? '';
    this.#clients.get(clientKey(branch, response.cseq.method))?.onResponse(response, flow);
  }

  /** Makes a client transaction; `start()` sends its request. */
  client(request: OutgoingRequest, user: ClientUser): ClientTransaction {
    const transaction = new ClientTransaction(request, user, {
      timers: this.#options.timers,
      send: this.#options.send,
      retransmitted: this.#options.onRetransmitted,
      terminated: (ended) => {
        this.#clients.delete(ended.key);
        this.#clientsById.delete(ended.id);
      },
    });
    this.#clients.set(transaction.key, transaction);
    this.#clientsById.set(transaction.id, transaction);
    return transaction;
  }

  clientById(id: string): ClientTransaction | undefined {
    return this.#clientsById.get(id);
  }

  close(): void {
    for (const transaction of [...this.#servers.values(), ...this.#clients.values()]) transaction.terminate();
  }
}

function sentBy(via: Via): string {
  return `${via.host.toLowerCase()}:${via.port ?? 5060}`;
}

/**
 * Branch, sent-by and method; by its other identifiers a request of RFC 2543 times without magic cookie, or with
 * nothing behind it (RFC 4475 section 3.2.1).
 */
function serverKey(request: SipRequest, method: string): string {
  const branch = request.via.params.get('branch') ?? '';
  if (branch.length > MAGIC_COOKIE.length && branch.startsWith(MAGIC_COOKIE))
    return `${branch} ${sentBy(request.via)} ${method}`;
  return `${request.callId} ${request.cseq.seq} ${tagOf(request.from) ?? ''} ${branch} ${sentBy(request.via)} ${method}`;
}

function mergeKey(request: SipRequest): string {
  return `${request.callId} ${tagOf(request.from) ?? ''} ${request.cseq.seq} ${request.method}`;
}

/** A tag with 64 random bits (RFC 3261 section 19.3 asks for at least 32). */
export const newTag = (): string => randomBytes(8).toString('hex');

export const newBranch = (): string => MAGIC_COOKIE + randomBytes(12).toString('hex');
