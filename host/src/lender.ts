import type { ChannelId, FromChild, ToChild } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { RawHandle } from './raw-sockets.ts';
import type { PortPair, RtpPorts } from './rtp-ports.ts';

export interface Loan {
  readonly message: ToChild;
  readonly handle: RawHandle;
}

type Send = (message: ToChild, handle?: RawHandle) => void;

/** Which RTP sockets each media worker has, so that its replacement gets the same. */
export class Lender {
  readonly #ports: RtpPorts;
  readonly #log: Log;
  readonly #loans = new Map<number, Map<ChannelId, PortPair>>();

  constructor(ports: RtpPorts, log: Log) {
    this.#ports = ports;
    this.#log = log;
  }

  /** All sockets of a worker, for its replacement. */
  loansOf(worker: number): readonly Loan[] {
    return [...(this.#loans.get(worker)?.values() ?? [])].flatMap((pair) => loansFor(pair, null));
  }

  lend(worker: number, request: Extract<FromChild, { type: 'lend' }>, send: Send): void {
    const loans = this.#loans.get(worker) ?? new Map<ChannelId, PortPair>();
    this.#loans.set(worker, loans);
    try {
      const pair = loans.get(request.channel) ?? this.#ports.take(request.channel);
      if (pair === null) {
        send({
          type: 'lend.failed',
          id: request.id,
          code: 'RTP_PORTS_EXHAUSTED',
          message: 'every port of the range is taken',
        });
        return;
      }
      loans.set(request.channel, pair);
      for (const loan of loansFor(pair, request.id)) send(loan.message, loan.handle);
    } catch (error) {
      this.#log.error({ err: error }, 'cannot bind an RTP port');
      send({
        type: 'lend.failed',
        id: request.id,
        code: 'RTP_PORTS_EXHAUSTED',
        message: (error as Error).message,
      });
    }
  }

  giveBack(worker: number, channel: ChannelId): void {
    const pair = this.#loans.get(worker)?.get(channel);
    if (pair === undefined) return;
    this.#loans.get(worker)?.delete(channel);
    this.#ports.giveBack(pair);
  }
}

function loansFor(pair: PortPair, id: number | null): Loan[] {
  return [
    {
      message: { type: 'lent', kind: 'rtp', port: pair.rtpPort, channel: pair.channel, id },
      handle: pair.rtp,
    },
    {
      message: { type: 'lent', kind: 'rtcp', port: pair.rtpPort + 1, channel: pair.channel, id },
      handle: pair.rtcp,
    },
  ];
}
