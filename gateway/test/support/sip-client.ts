import dgram from 'node:dgram';
import { randomUUID } from 'node:crypto';
import { until } from './until.ts';

export interface SipMessage {
  /** 0 on a request. */
  readonly status: number;
  readonly method: string;
  readonly startLine: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

function parse(text: string): SipMessage {
  const end = text.indexOf('\r\n\r\n');
  const [startLine = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = new Map(
    lines.map((line) => [
      line.slice(0, line.indexOf(':')).trim().toLowerCase(),
      line.slice(line.indexOf(':') + 1).trim(),
    ]),
  );
  const status = startLine.startsWith('SIP/2.0 ') ? Number(startLine.split(' ')[1]) : 0;
  const method = headers.get('cseq')?.split(' ')[1] ?? '';
  return { status, method, startLine, headers, body: text.slice(end + 4) };
}

export interface InviteOptions {
  readonly body: string;
  readonly contentType?: string | null;
  readonly headers?: readonly string[];
  /** Without its tag. */
  readonly from?: string;
  readonly contact?: string | null;
}

export interface Answer {
  readonly status: number;
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** A caller on UDP, written for tests: it sends exactly what it is told. */
export class SipClient {
  readonly received: SipMessage[] = [];
  /** Given each message as it came. */
  onText: (text: string) => void = () => undefined;
  /** What it answers to a request; null for nothing. A caller answers the BYE that it gets. */
  onRequest: (request: SipMessage) => Answer | null = ({ method }) =>
    method === 'BYE' ? { status: 200 } : null;
  readonly #socket: dgram.Socket;
  readonly #serverPort: number;

  private constructor(socket: dgram.Socket, serverPort: number) {
    this.#socket = socket;
    this.#serverPort = serverPort;
    socket.on('message', (bytes) => {
      const text = bytes.toString('utf8');
      this.onText(text);
      const message = parse(text);
      this.received.push(message);
      if (message.status !== 0 || message.method === 'ACK') return;
      const answer = this.onRequest(message);
      if (answer !== null) this.#answer(message, answer);
    });
  }

  static async open(serverPort: number, address = '127.0.0.1'): Promise<SipClient> {
    const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
    return new SipClient(socket, serverPort);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** As it stands in a Via: an IPv6 one in brackets. */
  get address(): string {
    const { address, family } = this.#socket.address();
    return family === 'IPv6' ? `[${address}]` : address;
  }

  close(): void {
    this.#socket.close();
  }

  send(text: string): void {
    this.#socket.send(text, this.#serverPort, this.address.startsWith('[') ? '::1' : '127.0.0.1');
  }

  dialog(): ClientDialog {
    return new ClientDialog(this);
  }

  /** A request outside of any dialog; resolves with the final response. */
  async ask(method: string, headers: readonly string[] = []): Promise<SipMessage> {
    const dialog = this.dialog();
    dialog.request(method, { body: '', contentType: null, headers });
    return dialog.final(method);
  }

  #answer(request: SipMessage, { status, headers = [], body = '' }: Answer): void {
    const copied = ['via', 'from', 'to', 'call-id', 'cseq'].map(
      (name) => `${name}: ${request.headers.get(name)}`,
    );
    const length = `Content-Length: ${Buffer.byteLength(body)}`;
    this.send([`SIP/2.0 ${status} Whatever`, ...copied, ...headers, length, '', body].join('\r\n'));
  }
}

/** One dialog of the caller. */
export class ClientDialog {
  readonly callId = randomUUID();
  readonly fromTag = randomUUID().slice(0, 8);
  toTag: string | null = null;
  /** From of all its requests that say nothing else, without the tag. */
  from = '"Fork 7" <sip:fork7@example.test>';
  #cseq = 0;
  #inviteBranch = '';
  readonly #client: SipClient;

  constructor(client: SipClient) {
    this.#client = client;
  }

  get #messages(): SipMessage[] {
    return this.#client.received.filter((message) => message.headers.get('call-id') === this.callId);
  }

  /** @param at CSeq: of the last request for true, the next one for false */
  request(method: string, options: InviteOptions, at: boolean | number = false): void {
    if (at === false) this.#cseq++;
    const cseq = typeof at === 'number' ? at : this.#cseq;
    const branch =
      method === 'CANCEL' ? this.#inviteBranch : `z9hG4bK${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    if (method === 'INVITE') this.#inviteBranch = branch;
    const { address, port } = this.#client;
    const contact = options.contact === undefined ? `<sip:src@${address}:${port}>;+sip.src` : options.contact;
    const contentType = options.contentType === undefined ? 'application/sdp' : options.contentType;
    const lines = [
      `${method} sip:srs@127.0.0.1 SIP/2.0`,
      `Via: SIP/2.0/UDP ${address}:${port};branch=${branch}`,
      `From: ${options.from ?? this.from};tag=${this.fromTag}`,
      `To: <sip:srs@example.test>${this.toTag === null ? '' : `;tag=${this.toTag}`}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${cseq} ${method}`,
      'Max-Forwards: 70',
      ...(contact === null ? [] : [`Contact: ${contact}`]),
      ...(contentType === null ? [] : [`Content-Type: ${contentType}`]),
      ...(options.headers ?? []),
      `Content-Length: ${Buffer.byteLength(options.body)}`,
      '',
      options.body,
    ];
    this.#client.send(lines.join('\r\n'));
  }

  /** The final response to the latest request of the method. */
  final(method: string, at = this.#cseq): Promise<SipMessage> {
    const cseq = `${at} ${method}`;
    return until(`final response to ${cseq}`, () =>
      this.#messages.find((message) => message.status >= 200 && message.headers.get('cseq') === cseq),
    );
  }

  /** A request that the server sent in this dialog. */
  incoming(method: string): Promise<SipMessage> {
    return until(`${method} from the server`, () =>
      this.#messages.find((message) => message.status === 0 && message.method === method),
    );
  }

  /** Acknowledges a 2xx to an INVITE. @param body SDP answer, where the 200 had the offer @param at its CSeq */
  ack(body = '', at: boolean | number = true): void {
    this.request('ACK', { body, contentType: body === '' ? null : 'application/sdp' }, at);
  }

  /** An INVITE and its final answer, not acknowledged yet. */
  async inviteOnly(options: InviteOptions): Promise<SipMessage> {
    this.request('INVITE', options);
    const final = await this.final('INVITE');
    this.toTag ??= /tag=([^;>\s]+)/.exec(final.headers.get('to') ?? '')?.[1] ?? null;
    return final;
  }

  /** @param ackBody SDP answer in the ACK, where the 200 had the offer */
  async invite(options: InviteOptions, ackBody = ''): Promise<SipMessage> {
    const final = await this.inviteOnly(options);
    this.ack(ackBody);
    return final;
  }

  async bye(): Promise<SipMessage> {
    this.request('BYE', { body: '', contentType: null });
    return this.final('BYE');
  }
}
