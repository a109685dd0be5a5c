import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, type Socket as TcpSocket } from 'node:net';
import { once } from 'node:events';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { uriHost } from '../../src/transport/flow.ts';
import { StreamFramer } from '../../src/parse/framing.ts';
import { headerValue, type SipMessage, type SipRequest, type SipResponse } from '../../src/parse/message.ts';
import { parseMessage } from '../../src/parse/parse.ts';
import { buildResponse, writeMessage, type HeaderLine } from '../../src/parse/build.ts';
import { tagOf } from '../../src/parse/uri.ts';
import { withLimit } from './wait.ts';

export const SDP = [
  'v=0',
  'o=- 1 1 IN IP4 127.0.0.1',
  's=-',
  'c=IN IP4 127.0.0.1',
  't=0 0',
  'm=audio 6000 RTP/AVP 0',
  'a=rtpmap:0 PCMU/8000',
  'a=sendrecv',
  '',
].join('\r\n');

let serial = 0;

/** A bare SIP user agent for tests: sends exactly what it is told, keeps all that it receives. */
export class Uac {
  readonly received: SipMessage[] = [];
  readonly raw: Buffer[] = [];
  readonly #udp: UdpSocket | undefined;
  readonly #tcp: TcpSocket | undefined;
  readonly #serverPort: number;
  readonly #waiters = new Set<() => void>();
  readonly port: number;
  readonly host: string;
  readonly proto: 'UDP' | 'TCP' | 'TLS';

  /** @param host the server's address, and ours */
  static async udp(serverPort: number, host = '127.0.0.1'): Promise<Uac> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, host);
    await once(socket, 'listening');
    return new Uac('UDP', serverPort, host, socket.address().port, socket, undefined);
  }

  static async tcp(serverPort: number, host = '127.0.0.1'): Promise<Uac> {
    const socket = connect({ port: serverPort, host });
    await once(socket, 'connect');
    return new Uac('TCP', serverPort, host, socket.localPort ?? 0, undefined, socket);
  }

  /** Rejects where the server does not let us in, or we do not believe it. */
  static async tls(serverPort: number, options: ConnectionOptions, host = '127.0.0.1'): Promise<Uac> {
    const socket = connectTls({ port: serverPort, host, ...options });
    await once(socket, 'secureConnect');
    return new Uac('TLS', serverPort, host, socket.localPort ?? 0, undefined, socket);
  }

  private constructor(
    proto: 'UDP' | 'TCP' | 'TLS',
    serverPort: number,
    host: string,
    port: number,
    udp?: UdpSocket,
    tcp?: TcpSocket,
  ) {
    this.proto = proto;
    this.host = host;
    this.#serverPort = serverPort;
    this.port = port;
    this.#udp = udp;
    this.#tcp = tcp;
    const framer = new StreamFramer();
    udp?.on('message', (bytes: Buffer) => {
      const result = parseMessage(bytes);
      if (result.ok) this.#take(result.message);
    });
    tcp?.on('data', (chunk: Buffer) => {
      this.raw.push(chunk);
      for (const event of framer.push(chunk)) {
        if (event.kind === 'message' && event.result.ok) this.#take(event.result.message);
      }
      for (const wake of this.#waiters) wake();
    });
    tcp?.on('error', () => tcp.destroy());
  }

  get closed(): boolean {
    return this.#tcp?.destroyed === true || this.#tcp?.readyState === 'writeOnly';
  }

  #take(message: SipMessage): void {
    this.received.push(message);
    for (const wake of this.#waiters) wake();
  }

  sendRaw(bytes: Buffer | string): void {
    const data = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    this.#udp?.send(data, this.#serverPort, this.host);
    this.#tcp?.write(data);
  }

  /** Waits until a received message satisfies the test, from the start of what was received. */
  async until<T extends SipMessage>(what: string, test: (message: SipMessage) => message is T): Promise<T> {
    return withLimit(what, (check) => {
      const wake = (): void => check(this.received.find(test));
      this.#waiters.add(wake);
      wake();
      return () => this.#waiters.delete(wake);
    });
  }

  response(status: number, method: string, seq?: number): Promise<SipResponse> {
    return this.until(
      `${status} to ${method}`,
      (m): m is SipResponse =>
        m.kind === 'response' &&
        m.status === status &&
        m.cseq.method === method &&
        (seq === undefined || m.cseq.seq === seq),
    );
  }

  request(method: string): Promise<SipRequest> {
    return this.until(
      `request ${method}`,
      (m): m is SipRequest => m.kind === 'request' && m.method === method,
    );
  }

  reply(
    request: SipRequest,
    status: number,
    reason: string,
    headers: HeaderLine[] = [],
    body?: string,
  ): void {
    const extra = body === undefined ? {} : { body: Buffer.from(body) };
    this.sendRaw(buildResponse(request, { status, reason, headers, ...extra }));
  }

  call(options: CallOptions = {}): TestCall {
    return new TestCall(this, options);
  }

  close(): void {
    this.#udp?.close();
    this.#tcp?.destroy();
  }
}

export interface CallOptions {
  readonly callId?: string;
  readonly headers?: HeaderLine[];
}

/** One call's identifiers, and the requests of its caller. */
export class TestCall {
  readonly #uac: Uac;
  readonly #extra: HeaderLine[];
  readonly callId: string;
  readonly fromTag: string;
  toTag: string | undefined;
  seq = 0;
  /** Such as `;alias`. */
  viaParams = '';
  /** Where we say that we can be reached, if not where we send from. */
  contactPort: number | undefined;
  readonly inviteBranch: string;

  constructor(uac: Uac, options: CallOptions) {
    const id = `${process.pid}-${++serial}-${Math.random().toString(36).slice(2)}`;
    this.#uac = uac;
    this.#extra = options.headers ?? [];
    this.callId = options.callId ?? `${id}@test`;
    this.fromTag = `from${serial}`;
    this.inviteBranch = this.branch();
  }

  get id(): string {
    return `${this.callId};from-tag=${this.fromTag}`;
  }

  branch(): string {
    return `z9hG4bK-${Math.random().toString(36).slice(2)}`;
  }

  headers(method: string, seq: number, branch: string): HeaderLine[] {
    const { proto, port } = this.#uac;
    const host = uriHost(this.#uac.host);
    const transport = proto === 'UDP' ? '' : `;transport=${proto.toLowerCase()}`;
    return [
      ['Via', `SIP/2.0/${proto} ${host}:${port};branch=${branch}${this.viaParams}`],
      ['From', `"Caller" <sip:caller@${host}:${port}>;tag=${this.fromTag}`],
      ['To', `<sip:answer@127.0.0.1>${this.toTag === undefined ? '' : `;tag=${this.toTag}`}`],
      ['Call-ID', this.callId],
      ['CSeq', `${seq} ${method}`],
      ['Max-Forwards', '70'],
      ['Contact', `<sip:caller@${host}:${this.contactPort ?? port}${transport}>`],
    ];
  }

  bytes(method: string, seq: number, branch: string, extra: HeaderLine[] = [], body = ''): Buffer {
    const lines = [...this.headers(method, seq, branch), ...extra];
    return writeMessage(`${method} sip:answer@127.0.0.1 SIP/2.0`, lines, Buffer.from(body));
  }

  send(method: string, extra: HeaderLine[] = [], body = ''): number {
    this.#uac.sendRaw(this.bytes(method, ++this.seq, this.branch(), extra, body));
    return this.seq;
  }

  invite(body = SDP, extra: HeaderLine[] = []): Buffer {
    const headers: HeaderLine[] = [...this.#extra, ['Content-Type', 'application/sdp'], ...extra];
    const bytes = this.bytes('INVITE', ++this.seq, this.inviteBranch, headers, body);
    this.#uac.sendRaw(bytes);
    return bytes;
  }

  cancel(): void {
    this.#uac.sendRaw(this.bytes('CANCEL', this.seq, this.inviteBranch));
  }

  ack(seq = this.seq): void {
    this.#uac.sendRaw(this.bytes('ACK', seq, this.branch()));
  }

  /** INVITE, 200, ACK. */
  async establish(body = SDP): Promise<SipResponse> {
    this.invite(body);
    const ok = await this.#uac.until(
      '200 to this INVITE',
      (m): m is SipResponse =>
        m.kind === 'response' && m.callId === this.callId && m.status === 200 && m.cseq.method === 'INVITE',
    );
    this.toTag = tagOf(ok.to);
    this.ack();
    return ok;
  }
}

export { headerValue };
