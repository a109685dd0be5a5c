/**
 * Symmetric RTP (RFC 4961): which source a channel listens to.
 *
 * The offer names where media comes from. A source is as good as it fits that: `exact` (address and port), `address` (another
 * port of it: NAT, or an SBC that sends from elsewhere), `foreign`. Without a name all are alike.
 *
 * - The first valid packet's source is taken; a foreign one only when nothing came from the named address for 500 ms.
 * - A better source wins over the one taken, at once.
 * - One that is as good or worse wins when the one taken has been silent for 2 s (it moved without saying so); a foreign
 *   one never wins over one of the named address.
 * - After a re-INVITE named another remote, the old source's last packets do not bring it back for 2 s.
 */
export interface NamedRemote {
  readonly address: string;
  readonly port: number;
}

const NAMED_FIRST_US = 500_000;
const SILENT_US = 2_000_000;
const OLD_SOURCE_US = 2_000_000;

const FOREIGN = 0;
const EXACT = 2;

export class SourceLatch {
  #named: NamedRemote | null = null;
  #sinceUs = 0;
  #address: string | null = null;
  #port = 0;
  #heardUs = 0;
  #oldAddress: string | null = null;
  #oldPort = 0;

  constructor(remote: NamedRemote | null, nowUs: number) {
    this.relatch(remote, nowUs);
  }

  /** Forgets the source. */
  relatch(remote: NamedRemote | null, nowUs: number): void {
    // 0.0.0.0 is RFC 2543's way to say hold, not a place that media comes from.
    this.#named = remote === null || remote.address === '0.0.0.0' ? null : remote;
    this.#sinceUs = nowUs;
    this.#oldAddress = this.#address;
    this.#oldPort = this.#port;
    this.#address = null;
  }

  /** Takes a source without asking, as a predecessor of this process had done. */
  take(address: string, port: number, nowUs: number): void {
    this.#address = address;
    this.#port = port;
    this.#heardUs = nowUs;
  }

  /** Whether a valid packet from there, now, is the channel's. */
  accept(address: string, port: number, nowUs: number): boolean {
    if (address !== this.#address || port !== this.#port) {
      const wins =
        this.#address === null ? this.#mayBeFirst(address, port, nowUs) : this.#beats(address, port, nowUs);
      if (!wins) return false;
    }
    this.take(address, port, nowUs);
    return true;
  }

  #mayBeFirst(address: string, port: number, nowUs: number): boolean {
    const fit = this.#fit(address, port);
    const sinceUs = nowUs - this.#sinceUs;
    if (fit === EXACT) return true;
    if (address === this.#oldAddress && port === this.#oldPort && sinceUs < OLD_SOURCE_US) return false;
    return this.#named === null || fit !== FOREIGN || sinceUs >= NAMED_FIRST_US;
  }

  #beats(address: string, port: number, nowUs: number): boolean {
    const fit = this.#fit(address, port);
    const current = this.#fit(this.#address ?? '', this.#port);
    if (fit > current) return true;
    if (fit === FOREIGN && current !== FOREIGN) return false;
    return nowUs - this.#heardUs >= SILENT_US;
  }

  #fit(address: string, port: number): number {
    if (this.#named === null || address !== this.#named.address) return FOREIGN;
    return port === this.#named.port ? EXACT : 1;
  }
}
