import dgram from 'node:dgram';
import type { LentSocket, Log } from '@earshot/platform';
import { nowUs } from './clock.ts';

/** The kernel keeps this much while a worker is replaced: some 27 s of a stream (a packet counts about 768 bytes). */
const RECEIVE_BUFFER_BYTES = 1024 * 1024;
/** Turns of the event loop without a packet after which a socket counts as read dry. */
const DRY_TURNS = 3;
const DRY_LIMIT_US = 500_000;

export interface LentPair {
  readonly rtp: LentSocket;
  readonly rtcp: LentSocket;
}

export type PacketHandler = (datagram: Uint8Array, address: string, port: number, arrivalUs: number) => void;

/** A channel's two sockets. Host owns them: closing ours leaves its own open, and what comes meanwhile is kept. */
export class ChannelSockets {
  readonly rtpPort: number;
  readonly rtcpPort: number;
  /** Datagrams read. RTCP is only counted for now: reports will be read here. */
  rtpRead = 0;
  rtcpRead = 0;
  readonly #rtp: dgram.Socket;
  readonly #rtcp: dgram.Socket;

  constructor(lent: LentPair, onRtp: PacketHandler, log: Log) {
    this.rtpPort = lent.rtp.port;
    this.rtcpPort = lent.rtcp.port;
    this.#rtp = adopt(lent.rtp, log);
    this.#rtcp = adopt(lent.rtcp, log);
    this.#rtp.on('message', (datagram, source) => {
      this.rtpRead++;
      onRtp(datagram, source.address, source.port, nowUs());
    });
    this.#rtcp.on('message', () => {
      this.rtcpRead++;
    });
  }

  /** Resolves when what was in the kernel's buffer has been read. */
  async readDry(): Promise<void> {
    const untilUs = nowUs() + DRY_LIMIT_US;
    let seen = this.rtpRead;
    for (let quiet = 0; quiet < DRY_TURNS && nowUs() < untilUs; quiet++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.rtpRead !== seen) quiet = -1;
      seen = this.rtpRead;
    }
  }

  close(): void {
    this.#rtp.close();
    this.#rtcp.close();
  }
}

function adopt(lent: LentSocket, log: Log): dgram.Socket {
  const socket = dgram.createSocket('udp4');
  socket.on('error', (error) => log.warn({ err: error, port: lent.port, kind: lent.kind }, 'socket error'));
  // bind() takes a raw UDP handle (Node 24), which its types do not say.
  socket.bind(lent.handle as dgram.BindOptions);
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  } catch (error) {
    log.debug({ err: error, port: lent.port }, 'receive buffer size not set');
  }
  return socket;
}
