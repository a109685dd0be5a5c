import { keysFrom } from './keys.ts';
import { mutate, Random } from './mutate.ts';
import { SrtpReceiver } from './receiver.ts';
import { MAX_SRTP_OVERHEAD, SrtpSender } from './sender.ts';
import { SRTP_SUITES, suiteSizes } from './suite.ts';

export interface FuzzResult {
  readonly packets: number;
  /** Packets that were taken: those that the damage left whole. */
  readonly taken: number;
}

/**
 * Damaged SRTP and SRTCP packets of all suites. What is refused must be as it was, and what is taken must be a packet as it was sent.
 * @throws Error that names the seed's packet where that does not hold, and whatever a receiver throws
 */
export function fuzzSrtp(seed: number, count: number): FuzzResult {
  const random = new Random(seed);
  let taken = 0;
  let pair = newPair(random);
  for (let n = 0; n < count; n++) {
    if (n % 500 === 499) pair = newPair(random);
    const rtcp = random.below(4) === 0;
    const packet = newPacket(random, rtcp, n);
    const plain = packet.slice(0, packet.length - MAX_SRTP_OVERHEAD);
    const sealedLength = rtcp
      ? pair.sender.sealRtcp(packet, plain.length)
      : pair.sender.sealRtp(packet, plain.length);
    if (sealedLength < 0) throw new Error(`packet ${n} of seed ${seed} could not be sealed`);
    const sealed = packet.slice(0, sealedLength);
    const damaged = random.below(16) === 0 ? sealed.slice() : mutate(sealed, random);
    const before = damaged.slice();
    const length = rtcp ? pair.receiver.openRtcp(damaged, n) : pair.receiver.openRtp(damaged, n);
    if (length < 0) {
      if (!same(damaged, before)) throw new Error(`packet ${n} of seed ${seed} was refused and changed`);
      continue;
    }
    taken++;
    // Of RTCP a tag that was cut to 32 bits is one, too.
    if (!(rtcp || same(before, sealed)) || !same(damaged.subarray(0, length), plain)) {
      throw new Error(`packet ${n} of seed ${seed} was taken and is not what was sent`);
    }
  }
  return { packets: count, taken };
}

function newPair(random: Random): { readonly sender: SrtpSender; readonly receiver: SrtpReceiver } {
  const suite = SRTP_SUITES[random.below(SRTP_SUITES.length)]!;
  const { keyBytes, saltBytes } = suiteSizes[suite];
  const key = Buffer.alloc(keyBytes + saltBytes);
  random.fill(key);
  const mki = random.below(3) === 0 ? Buffer.from([1, 2, 3, 4]).toString('base64') : null;
  const keys = keysFrom({ suite, keys: [{ key: key.toString('base64'), mki }] })!;
  return { sender: new SrtpSender(keys, 0), receiver: new SrtpReceiver(keys) };
}

function newPacket(random: Random, rtcp: boolean, n: number): Uint8Array<ArrayBuffer> {
  const packet = new Uint8Array(28 + random.below(200) + MAX_SRTP_OVERHEAD);
  random.fill(packet);
  packet.set(rtcp ? [0x81, 201] : [0x80, 0, (n >> 8) & 0xff, n & 0xff]);
  packet.set([1, 2, 3, 4], rtcp ? 4 : 8);
  return packet;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
