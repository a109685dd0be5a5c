// The other side of a call, made of real sockets and as little code as will do. It reads SDP with regular
// expressions of its own, so that the caller's reading and writing are not checked against themselves.
import dgram from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import net from 'node:net';
import { parseRtpPacket } from '../src/rtp-packet.ts';
import {
  header,
  parseSipDatagram,
  serializeSip,
  type SipHeaders,
  type SipMessage,
  type SipRequest,
  type SipResponse,
  SipStreamParser,
} from '../src/sip-message.ts';
import type { HostPort, TransportName } from '../src/sip-transport.ts';

export interface Behaviour {
  /** Final answer to INVITE (default 200); 0 is none at all. */
  status?: number;
  reason?: string;
  headers?: SipHeaders;
  /** Requests of this method that are not heard, counted down: a lossy line. */
  ignore?: Record<string, number>;
  /** 180 first; with status 0 the call rings until it is cancelled. */
  ringing?: boolean;
  /** Final answers to INVITE are sent this many times more, as if no ACK had come. */
  repeatAnswer?: number;
  /** Sends BYE when this many RTP packets came. */
  byeAfterPackets?: number;
  /** Answers that many m-lines only. */
  mLines?: number;
  /** The payload type of the answer; default the first offered. */
  payloadType?: number;
}

export interface ReceivedStream {
  port: number;
  label: string | undefined;
  packets: { ssrc: number; sequence: number; timestamp: number; payloadType: number; marker: boolean }[];
  payload: Buffer[];
  senderReports: Buffer[];
}

export interface AnsweredCall {
  invite: SipRequest;
  streams: ReceivedStream[];
  acks: number;
  ended: boolean;
  reply: (bytes: Buffer) => void;
}

/** Emits `change` whenever something arrived. */
export class FakeUas extends EventEmitter {
  readonly calls = new Map<string, AnsweredCall>();
  readonly requests: SipRequest[] = [];
  readonly responses: SipResponse[] = [];
  readonly behaviour: Behaviour;
  address: HostPort = { host: '127.0.0.1', port: 0 };
  readonly #closers: (() => void)[] = [];
  readonly #connections = new Set<net.Socket>();

  private constructor(behaviour: Behaviour) {
    super();
    this.behaviour = behaviour;
  }

  static async open(transport: TransportName, behaviour: Behaviour = {}): Promise<FakeUas> {
    const uas = new FakeUas(behaviour);
    if (transport === 'udp') await uas.#openUdp();
    else await uas.#openTcp();
    return uas;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropConnections();
    for (const close of this.#closers) close();
  }

  get onlyCall(): AnsweredCall {
    const [call] = this.calls.values();
    if (call === undefined) throw new Error('No call came');
    return call;
  }

  get connections(): number {
    return this.#connections.size;
  }

  heard(method: string): SipRequest[] {
    return this.requests.filter((request) => request.method === method);
  }

  /** Resolves when the condition holds; looks again whenever something arrives. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this, 'change');
  }

  async #openUdp(): Promise<void> {
    const socket = dgram.createSocket('udp4');
    socket.on('message', (bytes, from) => {
      const message = parseSipDatagram(bytes);
      if (message) {
        this.#receive(message, (reply) => {
          socket.send(reply, from.port, from.address);
        });
      }
    });
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
    this.address = { host: '127.0.0.1', port: socket.address().port };
    this.#closers.push(() => socket.close());
  }

  async #openTcp(): Promise<void> {
    const server = net.createServer((socket) => {
      const parser = new SipStreamParser();
      socket.on('data', (bytes) => {
        for (const message of parser.push(bytes)) this.#receive(message, (reply) => socket.write(reply));
      });
      socket.on('error', () => socket.destroy());
      this.#connections.add(socket);
      socket.on('close', () => {
        this.#connections.delete(socket);
        this.emit('change');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.address = { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
    this.#closers.push(() => server.close());
  }

  #receive(message: SipMessage, reply: (bytes: Buffer) => void): void {
    if (message.kind === 'response') {
      this.responses.push(message);
      this.emit('change');
      return;
    }
    const left = this.behaviour.ignore?.[message.method] ?? 0;
    if (this.behaviour.ignore && left > 0) {
      this.behaviour.ignore[message.method] = left - 1;
      return;
    }
    this.requests.push(message);
    void this.#answer(message, reply).then(() => this.emit('change'));
  }

  async #answer(request: SipRequest, reply: (bytes: Buffer) => void): Promise<void> {
    const callId = header(request, 'call-id') ?? '';
    const call = this.calls.get(callId);
    const respond = (status: number, reason: string, headers: SipHeaders = [], body = '') => {
      reply(serializeSip(response(request, status, reason, headers, body)));
    };
    switch (request.method) {
      case 'INVITE':
        await this.#answerInvite(request, callId, reply, respond);
        return;
      case 'ACK':
        if (call) call.acks += 1;
        return;
      case 'CANCEL':
        respond(200, 'OK');
        if (call) reply(serializeSip(response(call.invite, 487, 'Request Terminated')));
        return;
      case 'BYE':
        if (call) call.ended = true;
        respond(200, 'OK');
        return;
      default:
        respond(200, 'OK');
    }
  }

  async #answerInvite(
    invite: SipRequest,
    callId: string,
    reply: (bytes: Buffer) => void,
    respond: (status: number, reason: string, headers?: SipHeaders, body?: string) => void,
  ): Promise<void> {
    const { status = 200, reason = 'OK', headers = [], ringing, repeatAnswer = 0 } = this.behaviour;
    if (this.calls.has(callId) && !(header(invite, 'to') ?? '').includes('tag=')) return;
    const call = this.calls.get(callId) ?? { invite, streams: [], acks: 0, ended: false, reply };
    this.calls.set(callId, call);
    if (ringing) respond(180, 'Ringing');
    if (status === 0) return;
    const { host, port } = this.address;
    const contact: SipHeaders = [['Contact', `<sip:recorder@${host}:${port}>`]];
    let body = '';
    if (status < 300) {
      body = await this.#sdpAnswer(call, Buffer.from(invite.body).toString());
      contact.push(['Content-Type', 'application/sdp']);
    }
    for (let i = 0; i <= repeatAnswer; i += 1) respond(status, reason, [...contact, ...headers], body);
  }

  async #sdpAnswer(call: AnsweredCall, offer: string): Promise<string> {
    const offered = [...offer.matchAll(/^m=audio \d+ RTP\/AVP (\d+)[\s\S]*?(?=^m=|^--|$(?![\s\S]))/gm)];
    const lines = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0'];
    for (const [i, media] of offered.slice(0, this.behaviour.mLines ?? offered.length).entries()) {
      const label = /^a=label:(\S+)/m.exec(media[0])?.[1];
      const stream = call.streams[i] ?? (await this.#receiver(call, label));
      lines.push(`m=audio ${stream.port} RTP/AVP ${this.behaviour.payloadType ?? media[1]}`);
      if (label !== undefined) lines.push(`a=label:${label}`);
      lines.push('a=recvonly');
    }
    return `${lines.join('\r\n')}\r\n`;
  }

  async #receiver(call: AnsweredCall, label: string | undefined): Promise<ReceivedStream> {
    const { rtp, rtcp } = await portPair();
    this.#closers.push(
      () => rtp.close(),
      () => rtcp.close(),
    );
    const port = rtp.address().port;
    const stream: ReceivedStream = { port, label, packets: [], payload: [], senderReports: [] };
    rtcp.on('message', (bytes) => {
      stream.senderReports.push(bytes);
      this.emit('change');
    });
    rtp.on('message', (bytes) => {
      const packet = parseRtpPacket(bytes);
      if (packet === undefined) throw new Error('What came is not RTP');
      const { payload, ...fields } = packet;
      stream.packets.push(fields);
      stream.payload.push(payload);
      const count = call.streams.reduce((sum, { packets }) => sum + packets.length, 0);
      if (count === this.behaviour.byeAfterPackets) this.request(call, 'BYE', 1);
      this.emit('change');
    });
    call.streams.push(stream);
    return stream;
  }

  /** Sends a request in the dialog of a call, by default the way its INVITE came. */
  request(call: AnsweredCall, method: string, sequence: number, send = call.reply): void {
    const { host, port } = this.address;
    const { invite } = call;
    const bytes = serializeSip({
      kind: 'request',
      method,
      uri: /<([^>]*)>/.exec(header(invite, 'contact') ?? '')?.[1] ?? '',
      headers: [
        ['Via', `SIP/2.0/UDP ${host}:${port};branch=z9hG4bK${method}${sequence}`],
        ['From', `${header(invite, 'to') ?? ''};tag=uas`],
        ['To', header(invite, 'from') ?? ''],
        ['Call-ID', header(invite, 'call-id') ?? ''],
        ['CSeq', `${sequence} ${method}`],
        ['Reason', 'Q.850;cause=16;text="drained"'],
      ],
      body: Buffer.alloc(0),
    });
    send(bytes);
  }

  /** Breaks all TCP connections, as a restart does. */
  dropConnections(): void {
    for (const socket of this.#connections) socket.destroy();
  }
}

/** Sockets on a port and the next one. The kernel gives the first; the second may be somebody's already. */
async function portPair(): Promise<{ rtp: dgram.Socket; rtcp: dgram.Socket }> {
  for (;;) {
    const rtp = dgram.createSocket({ type: 'udp4', recvBufferSize: 1_048_576 });
    rtp.bind(0, '127.0.0.1');
    await once(rtp, 'listening');
    const rtcp = dgram.createSocket('udp4');
    rtcp.bind(rtp.address().port + 1, '127.0.0.1');
    const taken = await once(rtcp, 'listening').then(
      () => false,
      () => true,
    );
    if (!taken) return { rtp, rtcp };
    rtp.close();
    rtcp.close();
  }
}

function response(
  request: SipRequest,
  status: number,
  reason: string,
  headers: SipHeaders = [],
  body = '',
): SipResponse {
  const copied = request.headers.filter(([name]) => /^(via|from|call-id|cseq)$/i.test(name));
  const to = header(request, 'to') ?? '';
  return {
    kind: 'response',
    status,
    reason,
    headers: [...copied, ['To', to.includes('tag=') ? to : `${to};tag=uas`], ...headers],
    body: Buffer.from(body),
  };
}
