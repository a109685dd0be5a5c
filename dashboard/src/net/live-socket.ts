import type { LiveMessage } from '@earshot/contracts';

export type Connection = 'connecting' | 'live' | 'reconnecting' | 'signed-out';

export interface LiveHandlers {
  message(message: Exclude<LiveMessage, { type: 'hello' | 'behind' }>): void;
  connection(state: Connection): void;
  /** Connected for the first time, or to a log that is not the one before: everything has to be asked for. */
  fresh(seq: number): void;
  /** Connected again to the log of before: what was asked for in between may have failed. */
  back(): void;
  /** Whether the session is good: asked when a connection was refused, for which a browser gives no reason. */
  signedIn(): Promise<boolean>;
}

const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5000;
/** The server's close code when the session has ended. */
const SIGNED_OUT = 4401;

/**
 * The connection to /v1/live that comes back. It knows the last seq it handed out and asks for what follows, so a cut
 * leaves neither a hole nor a double.
 */
export class LiveSocket {
  readonly #url: string;
  readonly #handlers: LiveHandlers;
  #socket: WebSocket | null = null;
  #epoch: number | null = null;
  #seq = 0;
  #retryMs = FIRST_RETRY_MS;
  #timer: number | null = null;
  #stopped = false;

  /** @param url without a query */
  constructor(url: string, handlers: LiveHandlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  start(): void {
    this.#handlers.connection('connecting');
    this.#connect();
    addEventListener('online', () => this.retryNow());
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible') this.retryNow();
    });
  }

  /** For good. */
  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#socket?.close();
    this.#socket = null;
  }

  /** Tries at once if it is waiting for the next try. */
  retryNow(): void {
    if (this.#timer === null) return;
    clearTimeout(this.#timer);
    this.#connect();
  }

  /** Cuts a connection that is thought dead; the next one follows. */
  cut(): void {
    this.#socket?.close();
    this.#lost();
  }

  #connect(): void {
    this.#timer = null;
    const socket = new WebSocket(this.#epoch === null ? this.#url : `${this.#url}?after=${this.#seq}`);
    this.#socket = socket;
    socket.onmessage = (event: MessageEvent<string>) => {
      if (socket === this.#socket) this.#receive(JSON.parse(event.data) as LiveMessage);
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return;
      if (code === SIGNED_OUT) this.#handlers.connection('signed-out');
      else this.#lost();
    };
  }

  #receive(message: LiveMessage): void {
    if (message.type === 'hello' && !('callId' in message)) {
      this.#hello(message);
    } else if (message.type === 'behind') {
      this.cut();
    } else if (!('seq' in message)) {
      this.#handlers.message(message);
    } else if ('callId' in message && message.seq > this.#seq) {
      this.#seq = message.seq;
      this.#handlers.message(message);
    }
  }

  #hello({ epoch, seq }: { epoch: number; seq: number }): void {
    this.#retryMs = FIRST_RETRY_MS;
    const known = this.#epoch === epoch;
    this.#epoch = epoch;
    this.#handlers.connection('live');
    if (known) {
      this.#handlers.back();
      return;
    }
    this.#seq = seq;
    this.#handlers.fresh(seq);
  }

  #lost(): void {
    this.#socket = null;
    if (this.#timer !== null || this.#stopped) return;
    this.#handlers.connection('reconnecting');
    // Half of it by chance: after a restart of the server not every page comes in the same moment.
    const waitMs = this.#retryMs * (0.5 + Math.random() / 2);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
    this.#timer = window.setTimeout(() => this.#connect(), waitMs);
    void this.#checkSession();
  }

  async #checkSession(): Promise<void> {
    if (!(await this.#handlers.signedIn())) this.#handlers.connection('signed-out');
  }
}
