/**
 * Symmetric RTP (RFC 4961): which source a channel listens to.
 *
 * Without a named remote the first valid packet's source wins. With one, any port of the named address wins at once, and wins
 * later over a source that was taken in its place; another address is taken only when nothing came from the named
 * one for 500 ms (an SBC that announces its private address). Once taken, a source is address and port, and all others are
 * refused until the leg is updated with another remote.
 */
export interface NamedRemote {
  readonly address: string;
  readonly port: number;
}

const NAMED_FIRST_US = 500_000;

export class SourceLatch {
  #named: string | null = null;
  #sinceUs = 0;
  #address: string | null = null;
  #port = 0;

  constructor(remote: NamedRemote | null, nowUs: number) {
    this.relatch(remote, nowUs);
  }

  /** Forgets the source. */
  relatch(remote: NamedRemote | null, nowUs: number): void {
    // 0.0.0.0 is RFC 2543's way to say hold, not a place that media comes from.
    this.#named = remote === null || remote.address === '0.0.0.0' ? null : remote.address;
    this.#sinceUs = nowUs;
    this.#address = null;
  }

  /** Takes a source without asking, as a predecessor of this process had done. */
  take(address: string, port: number): void {
    this.#address = address;
    this.#port = port;
  }

  accept(address: string, port: number, nowUs: number): boolean {
    if (address === this.#address && port === this.#port) return true;
    if (this.#address !== null) {
      const better = this.#named !== null && address === this.#named && this.#address !== this.#named;
      if (!better) return false;
    } else if (this.#named !== null && address !== this.#named && nowUs - this.#sinceUs < NAMED_FIRST_US) {
      return false;
    }
    this.take(address, port);
    return true;
  }
}
