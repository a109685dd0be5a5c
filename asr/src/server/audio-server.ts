import type { ChannelId, FromAsr, ToAsr, VocabularyPhrase } from '@earshot/contracts';
import { type Connection, type Listener, type Log, listen } from '@earshot/platform';
import type { ChannelHost } from '../engine/channel-host.ts';
import type { ChannelOwner, LostCode } from '../engine/sink.ts';

/** One media worker's connection, as the engine sees it. */
class MediaConnection implements ChannelOwner {
  readonly #connection: Connection<ToAsr, FromAsr>;

  constructor(connection: Connection<ToAsr, FromAsr>) {
    this.#connection = connection;
  }

  credit(channel: ChannelId, attempt: number, uptoTick: number, decidedTick: number): void {
    this.#connection.send({ type: 'credit', channel, attempt, uptoTick, decidedTick });
  }

  lost(channel: ChannelId, attempt: number, code: LostCode): void {
    this.#connection.send({ type: 'lost', channel, attempt, code });
  }
}

export interface AudioServerOptions {
  readonly path: string;
  readonly host: ChannelHost;
  readonly hello: Extract<FromAsr, { type: 'hello' }>;
  /** Why no channel is taken now; null: they are taken. */
  readonly refusal: () => LostCode | null;
  /** The phrases of the lists that a channel's configuration names. */
  readonly phrasesOf: (lists: readonly string[] | undefined) => readonly VocabularyPhrase[];
  readonly log: Log;
}

/** Listens for media workers. A connection that closes takes its channels with it. */
export function serveAudio(options: AudioServerOptions): Promise<Listener> {
  const { host, log } = options;
  return listen<ToAsr, FromAsr>(options.path, (connection) => {
    const owner = new MediaConnection(connection);
    connection.send(options.hello);
    log.info('media worker connected');
    return {
      message: (message, body) => receive(options, owner, message, body),
      close: (error) => {
        host.closeOwner(owner);
        log.info({ err: error }, 'media worker disconnected');
      },
    };
  });
}

function receive(options: AudioServerOptions, owner: ChannelOwner, message: ToAsr, body: Uint8Array): void {
  const { host } = options;
  const { channel, attempt } = message;
  switch (message.type) {
    case 'audio':
      host.audio(channel, attempt, message.startTick, message.arrivalUs, body);
      break;
    case 'gap':
      host.gap(channel, attempt, message.toTick);
      break;
    case 'open':
      open(options, owner, message);
      break;
    case 'end':
      host.end(channel, attempt, message.tick);
      break;
    case 'close':
      host.close(channel, attempt);
      break;
  }
}

function open(
  { host, refusal, phrasesOf }: AudioServerOptions,
  owner: ChannelOwner,
  { channel, attempt, fromTick, outputFromTick, config }: Extract<ToAsr, { type: 'open' }>,
): void {
  const code = refusal();
  if (code !== null) {
    owner.lost(channel, attempt, code);
    return;
  }
  host.open(
    {
      channel,
      attempt,
      fromTick,
      outputFromTick: Math.max(fromTick, outputFromTick),
      live: config.priority === 'live',
      maxDelayMs: config.maxDelayMs ?? null,
      phrases: phrasesOf(config.vocabulary),
    },
    owner,
  );
}
