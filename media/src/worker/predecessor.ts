import type { ChannelId } from '@earshot/contracts';
import { newRtpPacket, parseRtp } from '../rtp/packet.ts';
import type { LastBlock } from '../spool/last-block.ts';
import type { WalFile } from '../spool/wal.ts';

/**
 * How far a killed predecessor had come with each channel by its own files. What it had read beyond is in its reader's memory,
 * together with what it had logged or stored just before.
 */
export class Predecessor {
  readonly #loggedUs = new Map<ChannelId, number>();
  readonly #blocks = new Map<ChannelId, LastBlock['block']>();
  readonly #header = newRtpPacket();

  logged(files: readonly WalFile[]): void {
    for (const { channels, lastUs } of files) {
      channels.forEach((id, i) => {
        this.#loggedUs.set(id, Math.max(lastUs[i]!, this.#loggedUs.get(id) ?? -Infinity));
      });
    }
  }

  restored(channel: ChannelId, last: LastBlock | null): void {
    if (last !== null) this.#blocks.set(channel, last.block);
  }

  /** Whether a datagram that it had handed on to a channel is in its log or in a block: a block may be written before the log. */
  has(channel: ChannelId, datagram: Uint8Array, handedOnUs: number): boolean {
    if (handedOnUs <= (this.#loggedUs.get(channel) ?? -Infinity)) return true;
    const block = this.#blocks.get(channel);
    const header = this.#header;
    if (block === undefined || parseRtp(datagram, header) !== null || header.ssrc !== block.ssrc)
      return false;
    return ((header.sequence - block.extendedSequence) << 16) >> 16 <= 0;
  }

  /** All its channels are adopted. */
  forget(): void {
    this.#loggedUs.clear();
    this.#blocks.clear();
  }
}
