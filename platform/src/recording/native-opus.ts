import { createRequire } from 'node:module';

/** What is used here of @discordjs/opus (libopus 1.3.1): an encoder and a decoder in one. */
interface NativeOpus {
  /** @param pcm 16-bit samples of one frame, in the machine's order @returns a packet */
  encode(pcm: Buffer): Buffer;
  /** @returns 16-bit samples, in the machine's order @throws TypeError when the packet is corrupt */
  decode(packet: Buffer): Buffer;
  applyEncoderCTL(request: number, value: number): void;
  applyDecoderCTL(request: number, value: number): void;
}

type Addon = { OpusEncoder: new (rate: number, channels: number) => NativeOpus };

/** Requests of opus_defines.h. Those that write to a pointer must never be sent through the addon. */
export const OPUS_SET_BITRATE = 4002;
export const OPUS_SET_COMPLEXITY = 4010;
export const OPUS_SET_SIGNAL = 4024;
export const OPUS_SIGNAL_VOICE = 3001;
const OPUS_RESET_STATE = 4028;

let addon: Addon | null | undefined;

/** Null: there is no prebuilt binary for this machine, and none could be built. Looked for once. */
function load(): Addon | null {
  if (addon !== undefined) return addon;
  try {
    addon = createRequire(import.meta.url)('@discordjs/opus') as Addon;
  } catch (_notThere) {
    addon = null;
  }
  return addon;
}

/** Whether recordings can be encoded and decoded here. */
export const canOpus = (): boolean => load() !== null;

/**
 * Those that nobody uses now, by their rate, as new: the garbage collector does not know what they weigh (tens of KB outside its
 * heap), so they are used again.
 */
const idle = new Map<number, NativeOpus[]>();

/** One channel's codec. @throws Error where there is no addon: see canOpus */
export function borrowOpus(rate: number): NativeOpus {
  const known = idle.get(rate)?.pop();
  if (known !== undefined) return known;
  const loaded = load();
  if (loaded === null) throw new Error('@discordjs/opus is not there: npm ci builds it');
  return new loaded.OpusEncoder(rate, 1);
}

/**
 * What was set of an encoder stays set: all who borrow set the same.
 * @param used as what: the addon makes an encoder, or a decoder, when it is first asked for one
 */
export function returnOpus(native: NativeOpus, rate: number, used: 'encoder' | 'decoder'): void {
  if (used === 'encoder') native.applyEncoderCTL(OPUS_RESET_STATE, 0);
  else resetDecoder(native);
  const others = idle.get(rate);
  if (others === undefined) idle.set(rate, [native]);
  else others.push(native);
}

/** Forgets the stream so far. */
export const resetDecoder = (native: NativeOpus): void => native.applyDecoderCTL(OPUS_RESET_STATE, 0);

export type { NativeOpus };
