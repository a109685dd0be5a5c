import type { ChannelId, FromEngine, ToEngine, VocabularyList } from '@earshot/contracts';
import { type Connection, Dialer } from '@earshot/platform';
import type { FinalSegment, OpenSegment } from '../decode/channel-decoder.ts';
import type { WordsSink } from '../engine/sink.ts';

export interface WordsLinkOptions {
  readonly path: string;
  readonly hello: Extract<FromEngine, { type: 'hello' }>;
  readonly onUp: () => void;
  /** The link broke: what was sent last may not have arrived. */
  readonly onLost: () => void;
  /** It took everything that had piled up. */
  readonly onDrained: () => void;
  /** Transcripts said all vocabulary lists as they are now. */
  readonly onVocabulary: (lists: readonly VocabularyList[]) => void;
  /** Somebody asks for what was said so far on a channel. */
  readonly onFinalise: (channel: ChannelId) => void;
}

/** Bytes in the socket's buffer from which on no step is run. A step of 64 channels adds some 100 KB at most. */
const BLOCKED_BYTES = 256 * 1024;
/** A peer that takes nothing for so long is broken; the channels are better off elsewhere. */
const STUCK_MS = 15_000;

/**
 * The engine's end of the words socket. Finals, progress and ends are never dropped while the link holds; partials are
 * held back while it is congested; when it is blocked the engine stops.
 */
export class WordsLink implements WordsSink {
  readonly #options: WordsLinkOptions;
  readonly #dialer: Dialer<ToEngine, FromEngine>;
  #connection: Connection<ToEngine, FromEngine> | null = null;
  #congested = false;

  constructor(options: WordsLinkOptions) {
    this.#options = options;
    this.#dialer = new Dialer<ToEngine, FromEngine>(options.path, {
      open: (connection) => {
        this.#connection = connection;
        this.#congested = false;
        connection.send(options.hello);
        options.onUp();
      },
      message: (message) => {
        if (message.type === 'vocabulary') options.onVocabulary(message.lists);
        else if (message.type === 'finalise') options.onFinalise(message.channel);
      },
      lost: () => {
        this.#connection = null;
        this.#congested = false;
        options.onLost();
      },
    });
  }

  get up(): boolean {
    return this.#connection !== null;
  }

  get congested(): boolean {
    return this.#congested;
  }

  get blocked(): boolean {
    return this.#connection === null || this.#connection.bufferedBytes > BLOCKED_BYTES;
  }

  partial(channel: ChannelId, attempt: number, segment: OpenSegment, arrivalUs: number): void {
    this.#send({ type: 'partial', channel, attempt, ...segment, arrivalUs });
  }

  final(channel: ChannelId, attempt: number, segment: FinalSegment, arrivalUs: number): void {
    this.#send({ type: 'final', channel, attempt, ...segment, arrivalUs });
  }

  progress(channel: ChannelId, attempt: number, decidedTick: number, settledTick: number): void {
    this.#send({ type: 'progress', channel, attempt, decidedTick, settledTick });
  }

  ended(channel: ChannelId, attempt: number, tick: number): void {
    this.#send({ type: 'ended', channel, attempt, tick });
  }

  /** Sends what is buffered, then closes. */
  close(): void {
    this.#dialer.close();
  }

  #send(message: FromEngine): void {
    const connection = this.#connection;
    if (connection === null || connection.send(message) || this.#congested) return;
    this.#congested = true;
    void this.#awaitDrain(connection);
  }

  async #awaitDrain(connection: Connection<ToEngine, FromEngine>): Promise<void> {
    const stuck = setTimeout(() => connection.destroy(), STUCK_MS);
    await connection.drained();
    clearTimeout(stuck);
    if (this.#connection !== connection) return;
    this.#congested = false;
    this.#options.onDrained();
  }
}
