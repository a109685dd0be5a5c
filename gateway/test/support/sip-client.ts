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
  readonly contact?: string | null;
}

/** A caller on UDP, written for tests: it sends exactly what it is told. */
export class SipClient {
  readonly received: SipMessage[] = [];
  readonly #socket: dgram.Socket;
  readonly #serverPort: number;

  private constructor(socket: dgram.Socket, serverPort: number) {
    this.#socket = socket;
    this.#serverPort = serverPort;
    socket.on('message', (bytes) => {
      const message = parse(bytes.toString('utf8'));
      this.received.push(message);
      // A caller answers the BYE that it gets.
      if (message.status === 0 && message.method === 'BYE') this.#answer(message);
    });
  }

  static async open(serverPort: number, address = '127.0.0.1'): Promise<SipClient> {
    const socket = dgram.createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
    return new SipClient(socket, serverPort);
  }

  get port(): number {
    return this.#socket.address().port;
  }

  get address(): string {
    return this.#socket.address().address;
  }

  close(): void {
    this.#socket.close();
  }

  send(text: string): void {
    this.#socket.send(text, this.#serverPort, '127.0.0.1');
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

  #answer(request: SipMessage): void {
    const copied = ['via', 'from', 'to', 'call-id', 'cseq'].map(
      (name) => `${name}: ${request.headers.get(name)}`,
    );
    this.send(['SIP/2.0 200 OK', ...copied, 'Content-Length: 0', '', ''].join('\r\n'));
  }
}

/** One dialog of the caller. */
export class ClientDialog {
  readonly callId = randomUUID();
  readonly fromTag = randomUUID().slice(0, 8);
  toTag: string | null = null;
  #cseq = 0;
  #inviteBranch = '';
  readonly #client: SipClient;

  constructor(client: SipClient) {
    this.#client = client;
  }

  get #messages(): SipMessage[] {
    return this.#client.received.filter((message) => message.headers.get('call-id') === this.callId);
  }

  request(method: string, options: InviteOptions, keepCseq = false): void {
    if (!keepCseq) this.#cseq++;
    const branch =
      method === 'CANCEL' ? this.#inviteBranch : `z9hG4bK${randomUUID().replaceAll('-', '').slice(0, 16)}`;
    if (method === 'INVITE') this.#inviteBranch = branch;
    const { address, port } = this.#client;
    const contact = options.contact === undefined ? `<sip:src@${address}:${port}>;+sip.src` : options.contact;
    const contentType = options.contentType === undefined ? 'application/sdp' : options.contentType;
    const lines = [
      `${method} sip:srs@127.0.0.1 SIP/2.0`,
      `Via: SIP/2.0/UDP ${address}:${port};branch=${branch}`,
      `From: "Fork 7" <sip:fork7@example.test>;tag=${this.fromTag}`,
      `To: <sip:srs@example.test>${this.toTag === null ? '' : `;tag=${this.toTag}`}`,
      `Call-ID: ${this.callId}`,
      `CSeq: ${this.#cseq} ${method}`,
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
  final(method: string): Promise<SipMessage> {
    const cseq = `${this.#cseq} ${method}`;
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

  /** @param ackBody SDP answer in the ACK, where the 200 had the offer */
  async invite(options: InviteOptions, ackBody = ''): Promise<SipMessage> {
    this.request('INVITE', options);
    const final = await this.final('INVITE');
    this.toTag ??= /tag=([^;>\s]+)/.exec(final.headers.get('to') ?? '')?.[1] ?? null;
    this.request('ACK', { body: ackBody, contentType: ackBody === '' ? null : 'application/sdp' }, true);
    return final;
  }

  async bye(): Promise<SipMessage> {
    this.request('BYE', { body: '', contentType: null });
    return this.final('BYE');
  }
}
