import type { ChannelId, FromAsr, ToAsr } from '@earshot/contracts';
import { type Connection, type Listener, type Log, listen } from '@earshot/platform';
import type { Engine } from '../engine/engine.ts';
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
  readonly engine: Engine;
  readonly hello: Extract<FromAsr, { type: 'hello' }>;
  /** False while recognised words have nowhere to go: channels are refused. */
  readonly wordsUp: () => boolean;
  readonly log: Log;
}

/** Listens for media workers. A connection that closes takes its channels with it. */
export function serveAudio(options: AudioServerOptions): Promise<Listener> {
  const { engine, log } = options;
  return listen<ToAsr, FromAsr>(options.path, (connection) => {
    const owner = new MediaConnection(connection);
    connection.send(options.hello);
    log.info('media worker connected');
    return {
      message: (message, body) => receive(options, owner, message, body),
      close: (error) => {
        engine.closeOwner(owner);
        log.info({ err: error }, 'media worker disconnected');
      },
    };
  });
}

function receive(
  { engine, wordsUp }: AudioServerOptions,
  owner: MediaConnection,
  message: ToAsr,
  body: Uint8Array,
): void {
  const { channel, attempt } = message;
  switch (message.type) {
    case 'audio':
      engine.audio(channel, attempt, message.startTick, message.arrivalUs, body);
      break;
    case 'gap':
      engine.gap(channel, attempt, message.toTick);
      break;
    case 'open': {
      if (!wordsUp()) {
        owner.lost(channel, attempt, 'TRANSCRIPTS_LINK');
        break;
      }
      const { fromTick, config } = message;
      const outputFromTick = Math.max(fromTick, message.outputFromTick);
      const live = config.priority === 'live';
      engine.open({ channel, attempt, fromTick, outputFromTick, live }, owner);
      break;
    }
    case 'end':
      engine.end(channel, attempt, message.tick);
      break;
    case 'close':
      engine.close(channel, attempt);
      break;
  }
}
