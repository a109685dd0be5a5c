import { type ToLive } from '@earshot/contracts';
import { listen, type Listener } from '@earshot/platform';

export interface BusHandlers {
  message(message: ToLive): void;
}

/** The downstream end of the live bus: transcripts dials in and says what is new. */
export class LiveBus {
  readonly #handlers: BusHandlers;
  #connections = 0;
  #listener: Listener | null = null;

  constructor(handlers: BusHandlers) {
    this.#handlers = handlers;
  }

  /** False while transcripts is away (being replaced): the log is polled, partials pause. */
  get connected(): boolean {
    return this.#connections > 0;
  }

  async listen(path: string): Promise<void> {
    this.#listener = await listen<ToLive, never>(path, () => {
      this.#connections += 1;
      return {
        message: (message) => this.#handlers.message(message),
        close: () => (this.#connections -= 1),
      };
    });
  }

  async close(): Promise<void> {
    await this.#listener?.close();
  }
}
