import type { RtpPacket } from '../rtp/packet.ts';
import type { Wal, WalChannel } from '../spool/wal.ts';
import type { PacketStage } from './stage.ts';

/** Writes each taken packet to the write-ahead log, before anything holds it in memory only. */
export class WalStage implements PacketStage {
  /** While a replacement replays the log, what it reads is in it already. */
  replaying = false;
  readonly #wal: Wal;
  readonly #channel: WalChannel;
  readonly #endTick: () => number;
  readonly #next: PacketStage;

  constructor(wal: Wal, channel: WalChannel, endTick: () => number, next: PacketStage) {
    this.#wal = wal;
    this.#channel = channel;
    this.#endTick = endTick;
    this.#next = next;
  }

  packet(packet: RtpPacket): void {
    if (!this.replaying) {
      const { arrivalUs, address, port, bytes } = packet;
      this.#wal.packet(this.#channel, arrivalUs, this.#endTick(), address, port, bytes);
    }
    this.#next.packet(packet);
  }

  toString(): string {
    return `Wal -> ${String(this.#next)}`;
  }
}
