import type { ChannelId, FromEngine, ToEngine, VocabularyList } from '@earshot/contracts';
import type { Connection } from '@earshot/platform';

export type EngineConnection = Connection<FromEngine, ToEngine>;

/** The other way of the words arrow: what every engine is told. */
export class Engines {
  readonly #connections = new Set<EngineConnection>();
  #lists: readonly VocabularyList[] = [];

  connected(connection: EngineConnection): void {
    this.#connections.add(connection);
    connection.send({ type: 'hello', pid: process.pid });
    connection.send({ type: 'vocabulary', lists: this.#lists });
  }

  lost(connection: EngineConnection): void {
    this.#connections.delete(connection);
  }

  vocabulary(lists: readonly VocabularyList[]): void {
    this.#lists = lists;
    this.#tell({ type: 'vocabulary', lists });
  }

  /** Which engine has the channel is the media worker's business: all are told, and those without it do nothing. */
  finalise(channel: ChannelId): void {
    this.#tell({ type: 'finalise', channel });
  }

  #tell(message: ToEngine): void {
    for (const connection of this.#connections) connection.send(message);
  }
}
