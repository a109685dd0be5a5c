import dgram from 'node:dgram';

export interface RtpFields {
  readonly sequence: number;
  readonly timestamp: number;
  readonly ssrc?: number;
  readonly payloadType?: number;
  readonly payload: Uint8Array;
}

/** An RTP packet by hand (RFC 3550 section 5.1). */
export function rtpBytes(fields: RtpFields): Buffer {
  const out = Buffer.alloc(12 + fields.payload.length);
  out[0] = 0x80;
  out[1] = fields.payloadType ?? 0;
  out.writeUInt16BE(fields.sequence & 0xffff, 2);
  out.writeUInt32BE(fields.timestamp >>> 0, 4);
  out.writeUInt32BE((fields.ssrc ?? 0x1234) >>> 0, 8);
  out.set(fields.payload, 12);
  return out;
}

/** 20 ms of payload that says which packet it is, loud enough to be speech. */
export function markedPayload(n: number, ticks = 160): Uint8Array {
  const out = new Uint8Array(ticks);
  // Codes 0..31 are the loudest of mu-law: every byte is speech, and the mix identifies the packet.
  for (let i = 0; i < ticks; i++) out[i] = i < 4 ? (n >>> (5 * i)) & 31 : (n * 7 + i) & 31;
  return out;
}

/** A caller's RTP socket, paced or as fast as it can. */
export class RtpSender {
  readonly socket = dgram.createSocket('udp4');
  sent = 0;
  readonly #port: number;
  readonly #ssrc: number;
  #timer: NodeJS.Timeout | null = null;
  firstSequence: number;

  constructor(port: number, ssrc = 0x5eed, firstSequence = 65_500) {
    this.#port = port;
    this.#ssrc = ssrc;
    this.firstSequence = firstSequence;
  }

  raw(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.send(bytes, this.#port, '127.0.0.1', (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  /** The n-th packet of the stream (from 0), payload markedPayload(n) unless given. */
  packet(n: number, payload: Uint8Array = markedPayload(n)): Promise<void> {
    const sequence = this.firstSequence + n;
    return this.raw(rtpBytes({ sequence, timestamp: 4_294_960_000 + n * 160, ssrc: this.#ssrc, payload }));
  }

  async next(): Promise<void> {
    await this.packet(this.sent++);
  }

  /** Sends every 20 ms on an absolute schedule until stopped. */
  start(): void {
    let due = performance.now();
    const turn = (): void => {
      void this.next();
      due += 20;
      this.#timer = setTimeout(turn, Math.max(0, due - performance.now()));
    };
    turn();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async close(): Promise<void> {
    this.stop();
    await new Promise<void>((resolve) => this.socket.close(() => resolve()));
  }
}
