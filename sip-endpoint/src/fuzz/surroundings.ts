import type { Surroundings } from '../endpoint.ts';
import type { Flow, Proto, Target, TransportSet, TransportUser } from '../transport/flow.ts';
import { parseCommand } from '../wire/command.ts';
import type { AppLink } from '../wire/connection.ts';
import { FrameDecoder } from '../wire/frame.ts';
import type { WireSide, WireUser } from '../wire/server.ts';
import { VirtualTimers } from './virtual-timers.ts';

/**
 * What an application answers to a message that it is shown; undefined for nothing at all. For an ACK, a CANCEL or a
 * response the answer goes nowhere.
 */
export type Answer = (method: string, text: string) => string | undefined;

const ADDRESS = '192.0.2.200';
const PORTS: Readonly<Record<Proto, number>> = { udp: 5060, tcp: 5060, tls: 5061 };
const HEADER_END = '\r\n\r\n';

/** An application that answers at once, in place of one behind the wire protocol; it speaks that, less the socket. */
class DirectApp implements AppLink {
  readonly open = true;
  readonly #user: WireUser;
  readonly #answer: Answer;
  readonly #decoder = new FrameDecoder();
  readonly #frames: Buffer[] = [];

  constructor(user: WireUser, answer: Answer) {
    this.#user = user;
    this.#answer = answer;
  }

  routes(method: string): boolean {
    return ['INVITE', 'OPTIONS', 'BYE', 'INFO', 'UPDATE'].includes(method);
  }

  send(frame: Buffer): void {
    this.#frames.push(frame);
  }

  /** Reads what came and answers it, as a process beside the endpoint would: not in the middle of its work. */
  settle(): void {
    for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift())
      this.#decoder.push(frame, (payload) => this.#take(payload));
    if (this.#decoder.broken) throw new Error('a frame to the application is malformed');
  }

  #take(payload: Buffer): void {
    const text = payload.toString('latin1');
    const lineEnd = text.indexOf('\r\n');
    const tokens = (lineEnd === -1 ? text : text.slice(0, lineEnd)).split('|');
    if (tokens[1] !== 'sip') return;
    const message = text.slice(lineEnd + 2);
    const method = message.slice(0, message.indexOf(' '));
    const answer = this.#answer(method, message);
    const unanswerable = method.startsWith('SIP/') || method === 'ACK' || method === 'CANCEL';
    if (answer === undefined || unanswerable || tokens[8] === 'unsolicited') return;
    const command = parseCommand(Buffer.from(`id|sip|${tokens[8]}|\r\n${answer}`, 'latin1'));
    if (command.verb === 'sip') this.#user.sip(this, command);
  }
}

/** An endpoint's network and application without sockets; time moves when told. */
export class FakeSurroundings implements Surroundings {
  readonly timers = new VirtualTimers();
  readonly #answer: Answer;
  readonly #onSent: (bytes: Buffer, target: Target) => void;
  #app: DirectApp | undefined;

  constructor(answer: Answer, onSent: (bytes: Buffer, target: Target) => void) {
    this.#answer = answer;
    this.#onSent = onSent;
  }

  transports(_user: TransportUser): TransportSet {
    return {
      connections: 0,
      local: (proto) => ({ address: ADDRESS, port: PORTS[proto] }),
      send: (bytes, target) => this.#onSent(bytes, target),
      close: () => Promise.resolve(),
    };
  }

  wire(user: WireUser): WireSide {
    const app = new DirectApp(user, this.#answer);
    this.#app = app;
    return {
      port: 0,
      size: 1,
      pick: (method) => (app.routes(method) ? app : undefined),
      close: () => Promise.resolve(),
    };
  }

  /** Lets the application answer all that it was given. */
  settle(): void {
    this.#app?.settle();
  }
}

/** Where a message of the fake network comes from. */
export const flowFrom = (proto: Proto, remoteAddress: string, remotePort: number): Flow => ({
  proto,
  remoteAddress,
  remotePort,
  localAddress: ADDRESS,
  localPort: PORTS[proto],
  connection: undefined,
});

const SDP_ANSWER =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.200\r\ns=-\r\nc=IN IP4 192.0.2.200\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n';

/** Answers as a recorder does: calls with SDP, everything else with 200. */
export const answerAll: Answer = (method) =>
  method === 'INVITE'
    ? `SIP/2.0 200 OK\r\nContent-Type: application/sdp${HEADER_END}${SDP_ANSWER}`
    : `SIP/2.0 200 OK${HEADER_END}`;
