import { join } from 'node:path';
import { sockets, type FromCalls, type ToCalls } from '@earshot/contracts';
import { listen, type Connection, type Listener } from '@earshot/platform';

type Of<T extends ToCalls['type']> = Extract<ToCalls, { readonly type: T }>;

/** transcripts' calls socket: remembers what it was told and acknowledges it, or not. */
export class FakeTranscripts {
  readonly messages: ToCalls[] = [];
  acknowledges = true;
  readonly #path: string;
  #listener: Listener | null = null;
  readonly #connections = new Set<Connection<ToCalls, FromCalls>>();

  private constructor(runDir: string) {
    this.#path = join(runDir, sockets.calls);
  }

  static async start(runDir: string): Promise<FakeTranscripts> {
    const fake = new FakeTranscripts(runDir);
    await fake.listen();
    return fake;
  }

  async listen(): Promise<void> {
    this.#listener = await listen<ToCalls, FromCalls>(this.#path, (connection) => {
      this.#connections.add(connection);
      return {
        message: (message) => {
          this.messages.push(message);
          if (this.acknowledges) connection.send({ type: 'ack', id: message.id });
        },
        close: () => this.#connections.delete(connection),
      };
    });
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections) connection.destroy();
    await this.#listener?.close();
    this.#listener = null;
  }

  send(message: FromCalls): void {
    for (const connection of this.#connections) connection.send(message);
  }

  of<T extends ToCalls['type']>(type: T): Of<T>[] {
    return this.messages.filter((message): message is Of<T> => message.type === type);
  }
}
