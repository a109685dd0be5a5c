import { createRequire } from 'node:module';

/** What is used of @discordjs/opus (libopus 1.3.1): typed here, because its own typings want an import that it does not offer. */
export interface NativeOpus {
  /** @returns little-endian 16-bit samples @throws TypeError when the packet is corrupt */
  decode(packet: Buffer): Buffer;
  /** @param pcm little-endian 16-bit samples of one frame */
  encode(pcm: Buffer): Buffer;
  applyDecoderCTL(request: number, value: number): void;
  applyEncoderCTL(request: number, value: number): void;
  setBitrate(bitsPerSecond: number): void;
}

type Addon = { OpusEncoder: new (rate: number, channels: number) => NativeOpus };

function load(): Addon | null {
  try {
    return createRequire(import.meta.url)('@discordjs/opus') as Addon;
  } catch {
    return null; // No prebuilt binary for this machine, and none could be built: Opus is then not offered.
  }
}

const addon = load();

/** Whether Opus can be decoded here. */
export const hasOpus = addon !== null;

/** Encoder and decoder in one, as the addon has it. @throws Error where there is no addon: see hasOpus */
export function newNativeOpus(rate: number, channels: number): NativeOpus {
  if (addon === null) throw new Error('the Opus addon is not there');
  return new addon.OpusEncoder(rate, channels);
}
