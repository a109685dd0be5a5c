import { EarshotError, monoUs } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import { newSrf, type SrfApp, type SrfHandler } from './drachtio.ts';
import type { SipRequest } from './request.ts';
import { oneLine, wrapRequest } from './sip-request.ts';
import { seen, type Tap } from './tap.ts';

export interface SipServerOptions {
  readonly host: string;
  readonly port: number;
  readonly secret: string;
}

export type SipHandler = (request: SipRequest) => void | Promise<void>;

const LAST_RETRY_MS = 2_000;
const BYE_LIMIT_MS = 3_000;
/** A transaction of ours ends by itself after 32 s (RFC 3261 timers B and F). */
const REQUEST_LIMIT_MS = 35_000;

/** The final answer to a request of ours. */
export interface SipAnswer {
  readonly status: number;
  readonly body: string;
  readonly header: (name: string) => string | null;
}

/**
 * The link to drachtio-server or sip-endpoint; redialled for ever. Its Dialog objects are not used: requests of dialogs
 * that a gateway before this one made come to the same handler as those of our own, so there is one path for both.
 */
export class SipServer {
  readonly #srf: SrfApp = newSrf();
  readonly #log: Log;
  readonly #options: SipServerOptions;
  #connected = false;
  #lastFault = 'no answer';
  #onConnect: (() => void) | null = null;
  #closing = false;
  readonly #tap: Tap;
  /** drachtio-srf sets no TCP_NODELAY on sockets of a reconnect: without it a 200 may wait 40 ms for an ACK of TCP. */
  #tunedSocket: object | null = null;

  constructor(options: SipServerOptions, handler: SipHandler, log: Log, tap: Tap = () => undefined) {
    this.#options = options;
    this.#tap = tap;
    this.#log = log;
    const srfHandler: SrfHandler = (req, res) => {
      if (req.socket !== this.#tunedSocket) {
        this.#tunedSocket = req.socket;
        req.socket.setNoDelay(true);
      }
      this.#handle(handler, wrapRequest(req, res, this.#tap));
    };
    // Each call asks the server for the method; `use` takes what comes without asking: ACK, PRACK, MESSAGE, …
    this.#srf.invite(srfHandler);
    this.#srf.bye(srfHandler);
    this.#srf.options(srfHandler);
    this.#srf.info(srfHandler);
    this.#srf.update(srfHandler);
    this.#srf.use(srfHandler);
    this.#listen();
  }

  get connected(): boolean {
    return this.#connected;
  }

  /**
   * Resolves at the first connection; later ones are made in the background.
   * @throws EarshotError DRACHTIO_UNREACHABLE after limitMs
   */
  connect(limitMs: number): Promise<void> {
    const { host, port, secret } = this.#options;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#onConnect = null;
        reject(new EarshotError('DRACHTIO_UNREACHABLE', `${host}:${port}: ${this.#lastFault}`));
      }, limitMs);
      this.#onConnect = () => {
        clearTimeout(timer);
        this.#onConnect = null;
        resolve();
      };
      this.#srf.connect({ host, port, secret, reconnect: { retryMaxDelay: LAST_RETRY_MS } });
    });
  }

  /** Sends a BYE in a dialog, ours or our predecessor's. @returns the status of the answer, null when none came */
  async bye(dialogId: string, headers: Readonly<Record<string, string>> = {}): Promise<number | null> {
    return (await this.request(dialogId, 'BYE', { headers }, BYE_LIMIT_MS))?.status ?? null;
  }

  /**
   * Sends a request in a dialog, ours or our predecessor's. The 2xx of a re-INVITE is acknowledged.
   * @returns the final answer, null when none came within limitMs or the request could not be sent
   */
  request(
    dialogId: string,
    method: 'BYE' | 'INVITE' | 'UPDATE',
    options: { readonly headers: Readonly<Record<string, string>>; readonly body?: string },
    limitMs = REQUEST_LIMIT_MS,
  ): Promise<SipAnswer | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), limitMs);
      const done = (answer: SipAnswer | null): void => {
        clearTimeout(timer);
        resolve(answer);
      };
      const { headers, body } = options;
      const sentUs = monoUs();
      const inDialog = { uri: 'sip:placeholder', method, stackDialogId: dialogId, headers: { ...headers } };
      try {
        this.#srf.request(body === undefined ? inDialog : { ...inDialog, body }, (error, sent) => {
          if (error !== null || sent === undefined) {
            this.#log.info({ err: error, method }, 'request not sent');
            done(null);
            return;
          }
          this.#tap(seen(dialogId, 'out', sent.msg, sent, null, sentUs));
          sent.on('response', (response, ack) => {
            this.#tap(seen(dialogId, 'in', response.msg, response));
            if (response.status < 200) return;
            if (method === 'INVITE' && response.status < 300) {
              ack({}, (_error, acked) => this.#tap(seen(dialogId, 'out', acked, sent)));
            }
            done({
              status: response.status,
              body: response.body ?? '',
              header: (name) => response.get(name) ?? null,
            });
          });
        });
      } catch (error) {
        // drachtio-srf throws where it has no connection.
        this.#log.info({ err: error, method }, 'request not sent');
        done(null);
      }
    });
  }

  close(): void {
    this.#closing = true;
    if (this.#connected) this.#srf.disconnect();
  }

  #listen(): void {
    this.#srf.on('connect', (error, hostports) => {
      if (error) {
        this.#lastFault = 'the secret was refused';
        this.#log.error('SIP server refused the secret');
        return;
      }
      this.#connected = true;
      this.#log.info({ hostports }, 'SIP server connected');
      this.#onConnect?.();
    });
    this.#srf.on('error', (error) => {
      this.#lastFault = oneLine(
        error.message || (error as NodeJS.ErrnoException).code || 'connection failed',
      );
    });
    this.#srf.on('close', () => {
      if (this.#connected && !this.#closing) this.#log.warn('SIP server connection lost');
      this.#connected = false;
    });
  }

  /** Nothing that a request does may throw into drachtio-srf: it would end the process. */
  #handle(handler: SipHandler, request: SipRequest): void {
    const failed = (error: unknown): void => {
      this.#log.error({ err: error, method: request.method }, 'request handler failed');
      if (request.method !== 'ACK') void request.respond(500);
    };
    try {
      Promise.resolve(handler(request)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}
