import { randomBytes } from 'node:crypto';
import { keysFrom, type SrtpKeys } from '../../src/srtp/keys.ts';
import { MAX_SRTP_OVERHEAD, type SrtpSender } from '../../src/srtp/sender.ts';
import type { SrtpSuite } from '@earshot/contracts';
import { suiteSizes } from '../../src/srtp/suite.ts';

/** A random key for each identifier (null: packets carry none). */
export function randomKeys(
  suite: SrtpSuite = 'AES_CM_128_HMAC_SHA1_80',
  mkis: readonly (string | null)[] = [null],
): readonly SrtpKeys[] {
  const { keyBytes, saltBytes } = suiteSizes[suite];
  const keys = mkis.map((mki) => ({
    key: randomBytes(keyBytes + saltBytes).toString('base64'),
    mki: mki === null ? null : Buffer.from(mki, 'hex').toString('base64'),
  }));
  return keysFrom({ suite, keys })!;
}

/** An RTP packet, plain. @param sequence of any size: its low 16 bits go into the packet */
export function rtp(sequence: number, ssrc = 0x1234, payload: Uint8Array = Buffer.alloc(160, 7)): Buffer {
  const packet = Buffer.alloc(12 + payload.length);
  packet[0] = 0x80;
  packet.writeUInt16BE(sequence % 0x10000, 2);
  packet.writeUInt32BE((sequence * 160) % 2 ** 32, 4);
  packet.writeUInt32BE(ssrc, 8);
  packet.set(payload, 12);
  return packet;
}

export function sealed(
  sender: SrtpSender,
  plain: Uint8Array,
  how: 'sealRtp' | 'sealRtcp' = 'sealRtp',
): Buffer {
  const bytes = Buffer.alloc(plain.length + MAX_SRTP_OVERHEAD);
  bytes.set(plain);
  return bytes.subarray(0, sender[how](bytes, plain.length));
}
