import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import {
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  TLSSocket,
} from 'node:tls';
import { EarshotError } from '@earshot/contracts';
import type { Log } from '../log.ts';
import type { StreamKind } from './stream.ts';

export interface TlsFiles {
  /** PEM: our certificate, the intermediate ones after it. */
  readonly certFile: string;
  readonly keyFile: string;
  /** PEM: who may sign the certificates of peers. With it, a peer without a valid one is not let in. */
  readonly caFile: string | undefined;
}

/** How often the files are looked at, in ms: a look is three calls of stat. */
const LOOK_MS = 2000;
const HANDSHAKE_MS = 10_000;
const MIN_VERSION = 'TLSv1.2';

/**
 * Certificate and key of SIP over TLS. They are read again when a file changes; open connections keep what they were
 * made with, and files that do not fit together leave everything as it was.
 */
export class TlsCredentials {
  readonly #files: TlsFiles;
  readonly #log: Log;
  readonly #servers = new Set<Server>();
  readonly #timer: NodeJS.Timeout;
  #options: SecureContextOptions;
  #context: SecureContext;
  #expiresAtMs: number;
  #seen: string;
  #looking = false;

  /** @throws EarshotError CONFIG_INVALID: a file cannot be read, is no PEM, or key and certificate do not fit */
  static async load(files: TlsFiles, log: Log): Promise<TlsCredentials> {
    try {
      const seen = await stateOf(files);
      return new TlsCredentials(files, log, seen, await read(files));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new EarshotError(
        'CONFIG_INVALID',
        `SIP over TLS: ${why} (TLS_CERT_FILE, TLS_KEY_FILE, TLS_CA_FILE)`,
        {
          cause: error,
        },
      );
    }
  }

  private constructor(files: TlsFiles, log: Log, seen: string, options: SecureContextOptions) {
    this.#files = files;
    this.#log = log;
    this.#seen = seen;
    this.#options = options;
    this.#context = createSecureContext(options);
    this.#expiresAtMs = expiryOf(options);
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  /** When the certificate in use runs out, in milliseconds since 1970. */
  get expiresAtMs(): number {
    return this.#expiresAtMs;
  }

  /** Connections of this kind; peers are checked where there is a CA file. */
  get kind(): StreamKind {
    const mutual = this.#files.caFile !== undefined;
    return {
      proto: 'tls',
      connected: 'secureConnect',
      server: (adopt) => {
        const server = createServer({
          ...this.#options,
          requestCert: mutual,
          rejectUnauthorized: mutual,
          handshakeTimeout: HANDSHAKE_MS,
        });
        server.on('secureConnection', adopt);
        // A peer that was not let in: its socket is closed by Node after this.
        server.on('tlsClientError', (error) =>
          this.#log.debug({ err: error, proto: 'tls' }, 'TLS handshake failed'),
        );
        server.on('close', () => this.#servers.delete(server));
        this.#servers.add(server);
        return server;
      },
      // Contacts are addresses more often than names: the chain is checked, the name in it is not.
      dial: (host, port) =>
        connect({
          host,
          port,
          secureContext: this.#context,
          minVersion: MIN_VERSION,
          rejectUnauthorized: mutual,
          checkServerIdentity: () => undefined,
        }),
      trusts: (socket) => socket instanceof TLSSocket && socket.authorized,
    };
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      const seen = await stateOf(this.#files).catch(() => 'missing');
      if (seen === this.#seen) return;
      // Files that do not fit are told of once: the next look at them is after their next change.
      this.#seen = seen;
      const options = await read(this.#files);
      this.#context = createSecureContext(options);
      this.#options = options;
      this.#expiresAtMs = expiryOf(options);
      for (const server of this.#servers) server.setSecureContext(options);
      this.#log.info({}, 'TLS certificate was read again');
    } catch (error) {
      this.#log.warn({ err: error }, 'TLS files changed and cannot be used; the former ones stay in use');
    } finally {
      this.#looking = false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

const expiryOf = ({ cert }: SecureContextOptions): number =>
  new X509Certificate(cert as Buffer).validToDate.getTime();

async function read({ certFile, keyFile, caFile }: TlsFiles): Promise<SecureContextOptions> {
  const [cert, key, ca] = await Promise.all([
    readFile(certFile),
    readFile(keyFile),
    caFile === undefined ? undefined : readFile(caFile),
  ]);
  const options = { cert, key, minVersion: MIN_VERSION, ...(ca !== undefined && { ca }) } as const;
  // Throws where key and certificate do not fit.
  createSecureContext(options);
  return options;
}

/** Changes with each of the files, behind symbolic links too. */
async function stateOf({ certFile, keyFile, caFile }: TlsFiles): Promise<string> {
  const states = await Promise.all(
    [certFile, keyFile, ...(caFile === undefined ? [] : [caFile])].map((file) => stat(file)),
  );
  return states.map(({ ino, size, mtimeMs }) => `${ino}/${size}/${mtimeMs}`).join(' ');
}
