import { type FileHandle, open } from 'node:fs/promises';
import { TICKS_PER_SECOND } from '@earshot/contracts';
import { borrowOpus, canOpus, type NativeOpus, resetDecoder, returnOpus } from './native-opus.ts';
import { lastPage, OggPackets, OggPages } from './ogg-reader.ts';
import { packetSamples, streamPacket } from './opus-framing.ts';
import { type OpusHead, parseOpusHead } from './opus-headers.ts';
import { GRANULES_PER_TICK } from './opus-writer.ts';

/** The file is no Opus recording that can be read; the message says why. */
export class OpusFileError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'OpusFileError';
  }
}

/**
 * A recording as OpusWriter makes it, decoded at 8 kHz, whose channels are read apart. A page that is missing or damaged is silence, and
 * what follows keeps its place. Memory: some 200 KB and a decoder for each channel that is read.
 */
export class OpusFile {
  readonly channels: number;
  /** Samples of each channel; one a tick. */
  readonly samples: number;
  readonly #handle: FileHandle;
  readonly #cursors: ChannelCursor[];

  private constructor(handle: FileHandle, head: OpusHead, audioOffset: number, samples: number) {
    this.#handle = handle;
    this.channels = head.channels;
    this.samples = samples;
    this.#cursors = Array.from(
      { length: head.channels },
      (_, channel) => new ChannelCursor(handle, head, channel, audioOffset),
    );
  }

  /** @throws OpusFileError; Error where there is no decoder; system errors */
  static async open(path: string): Promise<OpusFile> {
    if (!canOpus()) throw new Error('@discordjs/opus is not there: npm ci builds it');
    const handle = await open(path, 'r');
    try {
      const { head, audioOffset } = await readHeaders(handle);
      const end = (await lastPage(handle))?.granule ?? 0;
      const samples = Math.max(0, Math.floor((end - head.preSkip) / GRANULES_PER_TICK));
      return new OpusFile(handle, head, audioOffset, samples);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Samples of one channel, fewer at the end. It is fast where each call goes on after the one before it; going back begins at
   * the beginning of the file. One call of a channel at a time.
   */
  read(channel: number, from: number, count: number): Promise<Int16Array> {
    return this.#cursors[channel]!.read(from, Math.max(0, Math.min(count, this.samples - from)));
  }

  async close(): Promise<void> {
    for (const cursor of this.#cursors) cursor.close();
    await this.#handle.close();
  }
}

async function readHeaders(handle: FileHandle): Promise<{ head: OpusHead; audioOffset: number }> {
  const pages = new OggPages(handle);
  const packets = new OggPackets();
  const first = await pages.next();
  if (first === null || first.offset !== 0) throw new OpusFileError('not an Ogg file');
  const packet = packets.of(first)[0];
  if (packet?.toString('latin1', 0, 8) !== 'OpusHead') throw new OpusFileError('not Opus');
  const head = parseOpusHead(packet);
  if (head === null)
    throw new OpusFileError('not a recording of Earshot: its channels are not streams of their own');
  for (let page = await pages.next(); page !== null; page = await pages.next()) {
    const ended = packets.of(page);
    if (ended.length > 0) return { head, audioOffset: page.endOffset };
  }
  throw new OpusFileError('the file ends in its headers');
}

/** Decodes one channel from the file's beginning to its end. */
class ChannelCursor {
  readonly #handle: FileHandle;
  readonly #head: OpusHead;
  readonly #channel: number;
  readonly #audioOffset: number;
  #pages: OggPages;
  #packets = new OggPackets();
  #decoder: NativeOpus | null = null;
  /** What was decoded last, and the tick of its first sample, which may be before 0. */
  #decoded = new Int16Array(0);
  #fromTick = 0;
  /** From here to #fromTick is silence: pages are missing. */
  #silentFromTick = 0;
  /** After the last packet. */
  #granule = 0;

  constructor(handle: FileHandle, head: OpusHead, channel: number, audioOffset: number) {
    this.#handle = handle;
    this.#head = head;
    this.#channel = channel;
    this.#audioOffset = audioOffset;
    this.#pages = new OggPages(handle, audioOffset);
  }

  async read(from: number, count: number): Promise<Int16Array> {
    const out = new Int16Array(count);
    if (from < this.#silentFromTick) this.#rewind();
    for (;;) {
      const first = Math.max(from, this.#fromTick);
      const last = Math.min(from + count, this.#fromTick + this.#decoded.length);
      if (first < last)
        out.set(this.#decoded.subarray(first - this.#fromTick, last - this.#fromTick), first - from);
      if (this.#fromTick + this.#decoded.length >= from + count) return out;
      if (!(await this.#decodePage())) return out;
    }
  }

  close(): void {
    if (this.#decoder !== null) returnOpus(this.#decoder, TICKS_PER_SECOND, 'decoder');
    this.#decoder = null;
  }

  #rewind(): void {
    this.close();
    this.#pages = new OggPages(this.#handle, this.#audioOffset);
    this.#packets = new OggPackets();
    this.#decoded = new Int16Array(0);
    this.#fromTick = 0;
    this.#silentFromTick = 0;
    this.#granule = 0;
  }

  /** @returns false at the end of the file */
  async #decodePage(): Promise<boolean> {
    const page = await this.#pages.next();
    if (page === null) return false;
    const { channels, preSkip } = this.#head;
    const packets = this.#packets.of(page);
    const samples = packets.map((packet) => packetSamples(packet, channels) ?? 0);
    const total = samples.reduce((sum, one) => sum + one, 0);
    if (total === 0) return true;
    // The last page may say less than its packets have; any other says more where pages before it are missing.
    const start = Math.max(this.#granule, page.granule - total);
    const decoder = (this.#decoder ??= borrowOpus(TICKS_PER_SECOND));
    if (start > this.#granule) resetDecoder(decoder);
    this.#granule = start + total;
    this.#silentFromTick = Math.max(0, this.#fromTick + this.#decoded.length);
    this.#fromTick = Math.floor((start - preSkip) / GRANULES_PER_TICK);
    this.#decoded = new Int16Array(total / GRANULES_PER_TICK);
    let at = 0;
    for (const [i, packet] of packets.entries()) {
      const own = streamPacket(packet, this.#channel, channels);
      if (own !== null) decodeInto(decoder, own, this.#decoded, at);
      at += samples[i]! / GRANULES_PER_TICK;
    }
    return true;
  }
}

function decodeInto(decoder: NativeOpus, packet: Buffer, out: Int16Array, at: number): void {
  let pcm: Buffer;
  try {
    pcm = decoder.decode(packet);
  } catch (_corrupt) {
    return; // The page's checksum was right, so it was written so: silence.
  }
  const count = Math.min(pcm.length >> 1, out.length - at);
  for (let i = 0; i < count; i++) out[at + i] = pcm.readInt16LE(2 * i);
}
