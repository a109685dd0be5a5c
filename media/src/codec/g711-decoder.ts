import { type Law, linearTableOf } from '@earshot/contracts';
import { type Decoder, TOO_LONG } from './spec.ts';

/** PCMU and PCMA (ITU-T G.711; RFC 3551, section 4.5.14): a table look-up, without state. */
export class G711Decoder implements Decoder {
  readonly rate = 8000;
  readonly clockRate = 8000;
  readonly #linear: Int16Array;

  constructor(law: Law) {
    this.#linear = linearTableOf(law);
  }

  decode(bytes: Uint8Array, start: number, end: number, out: Int16Array): number {
    const samples = end - start;
    if (samples > out.length) return TOO_LONG;
    const linear = this.#linear;
    for (let i = 0; i < samples; i++) out[i] = linear[bytes[start + i]!]!;
    return Math.max(0, samples);
  }

  reset(): void {
    // Nothing is remembered.
  }

  conceal(): boolean {
    return false;
  }

  close(): void {
    // No native memory.
  }
}
