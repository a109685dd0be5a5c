import { randomBytes } from 'node:crypto';
import type { MediaCrypto } from '@earshot/contracts';
import { keysFrom, type SrtpKeys } from '../srtp/keys.ts';
import { SrtpReceiver } from '../srtp/receiver.ts';
import { SrtpSender } from '../srtp/sender.ts';

const noKeys = (): readonly SrtpKeys[] =>
  keysFrom({
    suite: 'AES_CM_128_HMAC_SHA1_80',
    keys: [{ key: randomBytes(30).toString('base64'), mki: null }],
  })!;

/** SRTP of one channel: opens what comes, protects our reports. */
export class Protection {
  readonly receiver: SrtpReceiver;
  #sender: SrtpSender;
  #crypto: MediaCrypto;

  private constructor(crypto: MediaCrypto, receiver: SrtpReceiver, sender: SrtpSender) {
    this.#crypto = crypto;
    this.receiver = receiver;
    this.#sender = sender;
  }

  /** With keys that are none (a damaged leg file: the gateway has checked them) nothing is authentic. */
  static of(crypto: MediaCrypto): Protection {
    const receive = keysFrom(crypto.receive) ?? noKeys();
    const send = keysFrom(crypto.send) ?? noKeys();
    return new Protection(crypto, new SrtpReceiver(receive), new SrtpSender(send, 0));
  }

  get sender(): SrtpSender {
    return this.#sender;
  }

  /** What an offer says now. Counters of known streams stay. */
  update(crypto: MediaCrypto, nowUs: number): void {
    const receive = keysFrom(crypto.receive);
    const send = keysFrom(crypto.send);
    if (receive === null || send === null) return;
    this.receiver.setKeys(receive, nowUs);
    const sameKey = JSON.stringify(crypto.send) === JSON.stringify(this.#crypto.send);
    if (!sameKey) this.#sender = new SrtpSender(send, 0);
    this.#crypto = crypto;
  }
}
