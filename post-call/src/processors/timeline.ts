import { type SpeechMark, type SpoolBlock, toLinear } from '@earshot/contracts';
import { blocksOf, type OnDamage, type SpoolFile } from './spool-reader.ts';

/** Samples of one channel, tick by tick from call zero; what no block covers is silence. */
export class ChannelTimeline {
  /** Of the blocks that were read, in order. */
  readonly marks: SpeechMark[] = [];
  readonly #files: readonly SpoolFile[];
  readonly #blocks: AsyncGenerator<SpoolBlock>;
  #current: SpoolBlock | null = null;

  /** @param files of this channel, in order of time */
  constructor(files: readonly SpoolFile[], onDamage: OnDamage) {
    this.#files = files;
    this.#blocks = this.#read(onDamage);
  }

  /** The tick after the last block, 0 when there is none. Reads the last files only, apart from fill(). */
  async endTick(): Promise<number> {
    for (const file of this.#files.toReversed()) {
      let end = 0;
      for await (const block of blocksOf(file, () => undefined))
        end = Math.max(end, block.startTick + block.ticks);
      if (end > 0) return end;
    }
    return 0;
  }

  /**
   * Writes the samples of fromTick … fromTick + ticks into out at every stride-th place from offset on. Calls follow
   * each other without holes.
   */
  async fill(
    out: Int16Array,
    offset: number,
    stride: number,
    fromTick: number,
    ticks: number,
  ): Promise<void> {
    for (let i = 0; i < ticks; i++) out[offset + i * stride] = 0;
    const toTick = fromTick + ticks;
    for (;;) {
      this.#current ??= ((await this.#blocks.next()).value as SpoolBlock | undefined) ?? null;
      const block = this.#current;
      if (block === null || block.startTick >= toTick) return;
      const first = Math.max(block.startTick, fromTick);
      const last = Math.min(block.startTick + block.ticks, toTick);
      const { encoding, payload, startTick } = block;
      const place = offset + (first - fromTick) * stride;
      if (last > first) toLinear(encoding, payload, first - startTick, last - startTick, out, place, stride);
      if (block.startTick + block.ticks > toTick) return;
      this.#current = null;
    }
  }

  async close(): Promise<void> {
    await this.#blocks.return(undefined);
  }

  async *#read(onDamage: OnDamage): AsyncGenerator<SpoolBlock> {
    for (const file of this.#files) {
      for await (const block of blocksOf(file, onDamage)) {
        this.marks.push([block.startTick, block.ticks, block.vad]);
        yield block;
      }
    }
  }
}
