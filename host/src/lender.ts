import type { ChannelId, FromChild, ToChild } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { RawHandle } from '@earshot/platform';
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
  /** Is lent everything that any worker is lent. */
  ahead: { lend(loan: Loan): void; giveBack(port: number): void } | null = null;

  constructor(ports: RtpPorts, log: Log) {
    this.#ports = ports;
    this.#log = log;
  }

  /** All sockets of a worker, for its replacement. */
  loansOf(worker: number): readonly Loan[] {
    return [...(this.#loans.get(worker)?.values() ?? [])].flatMap((pair) => loansFor(pair, null));
  }

  /** All sockets of all workers. */
  get loans(): readonly Loan[] {
    return [...this.#loans.keys()].flatMap((worker) => this.loansOf(worker));
  }

  lend(worker: number, request: Extract<FromChild, { type: 'lend' }>, send: Send): void {
    const loans = this.#loans.get(worker) ?? new Map<ChannelId, PortPair>();
    this.#loans.set(worker, loans);
    try {
      const pair = loans.get(request.channel) ?? this.#take(request);
      if (pair === null) {
        const { id, rtpPort } = request;
        const message =
          rtpPort === undefined ? 'every port of the range is taken' : `port ${rtpPort} is taken by others`;
        send({ type: 'lend.failed', id, code: 'RTP_PORTS_EXHAUSTED', message });
        return;
      }
      const isNew = !loans.has(request.channel);
      loans.set(request.channel, pair);
      for (const loan of loansFor(pair, request.id)) {
        send(loan.message, loan.handle);
        if (isNew) this.ahead?.lend(loan);
      }
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
    for (const port of [pair.rtpPort, pair.rtpPort + 1]) this.ahead?.giveBack(port);
    this.#ports.giveBack(pair);
  }

  #take({ channel, rtpPort }: Extract<FromChild, { type: 'lend' }>): PortPair | null {
    return rtpPort === undefined ? this.#ports.take(channel) : this.#ports.takeAgain(channel, rtpPort);
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
