import { randomBytes, randomUUID } from 'node:crypto';
import { newTag, rejection, responseTo, withinTransaction } from './sip-answers.ts';
import { SipDialog } from './sip-dialog.ts';
import {
  cseqOf,
  header,
  serializeSip,
  type SipHeaders,
  type SipMessage,
  type SipRequest,
  type SipResponse,
} from './sip-message.ts';
import { ClientTransactions, SipFailure, T1_MS, type TransactionOptions } from './sip-transaction.ts';
import {
  bracketed,
  type HostPort,
  openTransport,
  type SipTransport,
  type TransportName,
} from './sip-transport.ts';

export interface SipClientOptions {
  server: HostPort;
  transport: TransportName;
  userAgent?: string;
  t1Ms?: number;
  /** Without any answer a request fails after this; default 64 T1 = 32 s. */
  timeoutMs?: number;
  /** An INVITE that was answered provisionally fails after this; default 60 s. */
  answerTimeoutMs?: number;
}

export interface InviteRequest {
  /** Request-URI and To. */
  to: string;
  /** A name-addr without tag: `"Ann" <sip:ann@example.com>`. */
  from: string;
  /** Parameters of the Contact, with their semicolon: `;+sip.src`. */
  contactParameters?: string;
  callId?: string;
  headers?: SipHeaders;
  contentType: string;
  body: string;
  /** Aborting sends CANCEL, or BYE when the answer was faster. */
  signal?: AbortSignal;
}

const allowed = 'INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE';

/** A SIP user agent that calls: many dialogs with one server over one transport. */
export class SipClient {
  readonly server: HostPort;
  readonly userAgent: string;
  readonly timeoutMs: number;
  readonly t1Ms: number;
  readonly #answerTimeoutMs: number;
  readonly #dialogs = new Map<string, SipDialog>();
  #transport!: SipTransport;
  #transactions!: ClientTransactions;

  private constructor(options: SipClientOptions) {
    this.server = options.server;
    this.userAgent = options.userAgent ?? 'Earshot demo caller';
    this.t1Ms = options.t1Ms ?? T1_MS;
    this.timeoutMs = options.timeoutMs ?? 64 * this.t1Ms;
    this.#answerTimeoutMs = options.answerTimeoutMs ?? 60_000;
  }

  static async open(options: SipClientOptions): Promise<SipClient> {
    const client = new SipClient(options);
    const where = `${options.server.host}:${options.server.port} (${options.transport})`;
    const failure = (cause: NodeJS.ErrnoException) =>
      new SipFailure('unreachable', `Nothing answers at ${where}: ${cause.code ?? cause.message}`, { cause });
    const transport = await openTransport(options.transport, options.server, {
      message: (message, reply) => {
        client.#receive(message, reply);
      },
      lost: (cause) => {
        client.#transactions?.sendAgain(failure(cause));
      },
      unreachable: (cause) => {
        client.#transactions?.failAll(failure(cause));
      },
    });
    client.#transport = transport;
    client.#transactions = new ClientTransactions(
      (bytes) => {
        transport.send(bytes);
      },
      options.transport === 'tcp',
      client.t1Ms,
    );
    return client;
  }

  get local(): HostPort {
    return this.#transport.local;
  }

  get transport(): TransportName {
    return this.#transport.name;
  }

  /** Ends all waiting requests and closes the sockets; dialogs that are still up are left without BYE. */
  async close(): Promise<void> {
    this.#transactions.close();
    for (const dialog of this.#dialogs.values()) dialog.abandon();
    this.#dialogs.clear();
    await this.#transport.close();
  }

  /** Calls. Resolves when a 2xx was acknowledged; rejects with a {@link SipFailure} otherwise. */
  async invite(invite: InviteRequest): Promise<SipDialog> {
    const callId = invite.callId ?? randomUUID();
    const branch = this.newBranch();
    const request: SipRequest = {
      kind: 'request',
      method: 'INVITE',
      uri: invite.to,
      headers: [
        ['Via', this.via(branch)],
        ['Max-Forwards', '70'],
        ['From', `${invite.from};tag=${newTag()}`],
        ['To', `<${invite.to}>`],
        ['Call-ID', callId],
        ['CSeq', '1 INVITE'],
        ['Contact', this.contact(invite.contactParameters)],
        ['User-Agent', this.userAgent],
        ['Allow', allowed],
        ...(invite.headers ?? []),
        ['Content-Type', invite.contentType],
      ],
      body: Buffer.from(invite.body, 'utf8'),
    };
    let proceeding = false;
    let cancelled = false;
    const cancel = () => {
      // RFC 3261 section 9.1: not before a provisional answer.
      if (!proceeding || cancelled) return;
      cancelled = true;
      // 487 to the INVITE is what tells how this ended; the CANCEL's own answer carries nothing.
      this.transact(withinTransaction(request, 'CANCEL'), branch).catch(ignoreFailure);
    };
    invite.signal?.addEventListener('abort', cancel);
    try {
      const response = await this.transact(request, branch, {
        onProvisional: () => {
          proceeding = true;
          if (invite.signal?.aborted) cancel();
        },
      });
      if (response.status >= 300) throw rejection(response, invite.signal?.aborted === true);
      const dialog = new SipDialog(this, request, response, invite.contactParameters);
      this.#dialogs.set(callId, dialog);
      dialog.acknowledge();
      if (invite.signal?.aborted) {
        await dialog.bye();
        throw new SipFailure('cancelled', 'The call was given up while it was being set up');
      }
      return dialog;
    } finally {
      invite.signal?.removeEventListener('abort', cancel);
    }
  }

  /** Asks whether the server is there; resolves with whatever it answers. */
  async options(uri = `sip:${bracketed(this.server.host)}:${this.server.port}`): Promise<SipResponse> {
    const branch = this.newBranch();
    const request: SipRequest = {
      kind: 'request',
      method: 'OPTIONS',
      uri,
      headers: [
        ['Via', this.via(branch)],
        ['Max-Forwards', '70'],
        ['From', `<sip:ping@${bracketed(this.local.host)}>;tag=${newTag()}`],
        ['To', `<${uri}>`],
        ['Call-ID', randomUUID()],
        ['CSeq', '1 OPTIONS'],
        ['Contact', this.contact()],
        ['User-Agent', this.userAgent],
        ['Accept', 'application/sdp'],
      ],
      body: Buffer.alloc(0),
    };
    return this.transact(request, branch);
  }

  /** Sends a request in a client transaction of its own; for dialogs. */
  transact(
    request: SipRequest,
    branch: string,
    options: Pick<TransactionOptions, 'onProvisional'> = {},
  ): Promise<SipResponse> {
    return this.#transactions.request(request.method, branch, serializeSip(request), {
      ...options,
      timeoutMs: this.timeoutMs,
      answerTimeoutMs: this.#answerTimeoutMs,
      ...(request.method === 'INVITE' && {
        ackFor: (response: SipResponse) => serializeSip(withinTransaction(request, 'ACK', response)),
      }),
    });
  }

  /** Sends without waiting for an answer: the ACK of a 2xx. */
  send(request: SipRequest): void {
    this.#transport.send(serializeSip(request));
  }

  /** A dialog is over and no longer takes requests. */
  forget(dialog: SipDialog): void {
    this.#dialogs.delete(dialog.callId);
  }

  newBranch(): string {
    return `z9hG4bK${randomBytes(9).toString('hex')}`;
  }

  via(branch: string): string {
    const { host, port } = this.local;
    return `SIP/2.0/${this.transport.toUpperCase()} ${bracketed(host)}:${port};branch=${branch};rport`;
  }

  contact(parameters = ''): string {
    const { host, port } = this.local;
    return `<sip:caller@${bracketed(host)}:${port};transport=${this.transport}>${parameters}`;
  }

  #receive(message: SipMessage, reply: (bytes: Buffer) => void): void {
    const dialog = this.#dialogs.get(header(message, 'call-id') ?? '');
    if (message.kind === 'response') {
      const taken = this.#transactions.receive(message);
      // A 2xx that comes again was not acknowledged in time (RFC 3261 section 13.2.2.4).
      if (!taken && message.status < 300 && cseqOf(message)?.method === 'INVITE') dialog?.acknowledge();
      return;
    }
    if (dialog !== undefined) {
      dialog.receive(message, reply);
    } else if (message.method === 'OPTIONS') {
      reply(serializeSip(responseTo(message, 200, 'OK', [['Allow', allowed]])));
    } else if (message.method !== 'ACK') {
      reply(serializeSip(responseTo(message, 481, 'Call/Transaction Does Not Exist')));
    }
  }
}

/** For a request whose outcome changes nothing: its failure shows in the request that it belongs to. */
function ignoreFailure(error: unknown): void {
  if (!(error instanceof SipFailure)) throw error;
}
