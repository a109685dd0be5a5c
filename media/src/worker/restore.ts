import fs from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { CallId, ChannelId, ChannelTotals } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { Channel } from '../leg/channel.ts';
import type { MediaLeg } from './media-leg.ts';
import { STALL_US } from './timer.ts';
import { lastBlockOf, type LastBlock } from '../spool/last-block.ts';
import { callFolder, type LegRecord, readLegFiles } from '../spool/leg-file.ts';
import type { WalFile } from '../spool/wal.ts';
import { WalCursor } from '../spool/wal-record.ts';

/** Its writer and its number. */
const WAL_FILE = /^(\d+)-(\d+)\.wal$/;

const ATTEMPTS_OF_A_PROCESS = 1000;

/** What a predecessor left. */
export interface Inheritance {
  readonly legs: readonly LegRecord[];
  /** The logs, oldest first, of each process that wrote some. */
  readonly walPaths: readonly (readonly string[])[];
  /** Number of the next log. */
  readonly nextWal: number;
}

/**
 * @param workers how many there are: worker 0 inherits from those that an earlier run had beyond
 * @throws system errors when the spool's folders cannot be made or read
 */
export function readInheritance(spoolFolder: string, worker: number, workers: number, log: Log): Inheritance {
  const mine = (writer: number): boolean => writer === worker || (worker === 0 && writer >= workers);
  const walFolder = join(spoolFolder, 'wal');
  fs.mkdirSync(walFolder, { recursive: true });
  const { records, damaged } = readLegFiles(spoolFolder, mine);
  if (damaged > 0) log.warn({ damaged }, 'damaged leg files skipped');
  const paths = new Map<number, string[]>();
  let nextWal = 1;
  for (const name of fs.readdirSync(walFolder).sort()) {
    const [, writer, number] = WAL_FILE.exec(name)?.map(Number) ?? [];
    if (writer === undefined || number === undefined || !mine(writer)) continue;
    paths.set(writer, [...(paths.get(writer) ?? []), join(walFolder, name)]);
    if (writer === worker) nextWal = Math.max(nextWal, number + 1);
  }
  return { legs: records, walPaths: [...paths.values()], nextWal };
}

/** Brings a channel to its last good block. @returns that block, or null when it has none */
export function restoreFromBlocks(
  channel: Channel,
  spoolFolder: string,
  callId: CallId,
  log: Log,
): LastBlock | null {
  try {
    const last = lastBlockOf(callFolder(spoolFolder, callId), channel.index);
    if (last === null) return null;
    if (last.damagedBytes > 0) {
      log.warn({ channel: channel.id, bytes: last.damagedBytes }, 'damaged end of a spool file cut off');
    }
    channel.restore(last, process.pid);
    return last;
  } catch (error) {
    log.error({ err: error, channel: channel.id }, 'spool cannot be read; the channel starts without it');
    return null;
  }
}

/** What a channel that was restored needs besides, to be recognised. */
export function recall(channel: Channel, last: LastBlock, log: Log): void {
  try {
    channel.recall(last);
  } catch (error) {
    log.error({ err: error, channel: channel.id }, 'spool cannot be read again');
  }
}

export interface Owned {
  readonly channel: Channel;
  readonly leg: MediaLeg;
}

/** Restored at once: a millisecond or two. */
const CHANNELS_A_TURN = 16;

/** Brings channels to their checkpoints. The event loop gets a turn now and then: sockets arrive by it. */
export async function restoreChannels(
  channels: readonly Owned[],
  spoolFolder: string,
  log: Log,
): Promise<Restored[]> {
  const restored: Restored[] = [];
  for (const { channel, leg } of channels) {
    restored.push({ channel, last: restoreFromBlocks(channel, spoolFolder, leg.leg.callId, log) });
    if (restored.length % CHANNELS_A_TURN === 0) await setImmediate();
  }
  return restored;
}

export async function recallAll(restored: readonly Restored[], log: Log): Promise<void> {
  for (const [n, { channel, last }] of restored.entries()) {
    if (last !== null) recall(channel, last, log);
    if (n % CHANNELS_A_TURN === 0) await setImmediate();
  }
}

/** A channel at its last good block; null when it has none. */
export interface Restored {
  readonly channel: Channel;
  readonly last: LastBlock | null;
}

/** A channel to be brought from its checkpoint to the end of the log. */
class Replayed {
  readonly channel: Channel;
  readonly ssrc: number;
  /** Of the checkpoint, extended; -1 without one. */
  readonly sequence: number;
  /** Where in the log the checkpoint's packet is; -1 when before it. */
  checkpointAt = -1;

  constructor({ channel, last }: Restored) {
    this.channel = channel;
    this.ssrc = last?.block.ssrc ?? -1;
    this.sequence = last?.block.extendedSequence ?? -1;
  }

  /** Whether a packet of the log is one that the checkpoint does not have. */
  lacks(at: number, ssrc: number, sequence: number): boolean {
    if (this.sequence < 0) return true;
    const step = ((sequence - this.sequence) << 16) >> 16;
    if (at > this.checkpointAt) return ssrc !== this.ssrc || step > 0;
    return ssrc === this.ssrc && step > 0 && step <= REORDER_REACH;
  }
}

/** As far before the checkpoint's packet a later one may have arrived: what the jitter buffer holds. */
const REORDER_REACH = 64;

/** A file of the log that has been looked through. */
interface Seen {
  readonly path: string;
  /** By number in the file. */
  readonly ids: ChannelId[];
  readonly lastUs: number[];
  /** Its good records end there. */
  goodBytes: number;
}

/**
 * Replays what one writer's logs have after the channels' checkpoints, through the channels' own pipelines with the recorded
 * arrival times. Most of a log is in the blocks: its records are gone through twice, and only what is replayed is made anything of.
 * @returns the logs, to be handed to the new one and deleted when they are covered
 */
export function replayWal(
  walPaths: readonly string[],
  channels: readonly Restored[],
  log: Log,
): { packets: number; files: readonly WalFile[] } {
  const byId = new Map<string, Replayed>(channels.map((each) => [each.channel.id, new Replayed(each)]));
  let at = 0;
  const seen = walPaths.map((path) => {
    const bytes = bytesOf(path, log);
    const file: Seen = { path, ids: [], lastUs: [], goodBytes: 0 };
    const replayed: (Replayed | undefined)[] = [];
    const cursor = new WalCursor(bytes);
    while (cursor.next()) {
      const { kind, number } = cursor;
      if (kind === 'channel') {
        // It is numbered in the order of its first record.
        file.ids[number] = cursor.id as ChannelId;
        file.lastUs[number] = -1;
        replayed[number] = byId.get(cursor.id);
      } else if (file.ids[number] === undefined) {
        break;
      } else if (kind === 'packet') {
        at++;
        file.lastUs[number] = Math.max(file.lastUs[number]!, cursor.us);
        const of = replayed[number];
        // Of a channel without a block (sequence -1) none is.
        const isCheckpoint =
          of !== undefined &&
          of.sequence >= 0 &&
          cursor.sequence === (of.sequence & 0xffff) &&
          cursor.ssrc === of.ssrc;
        if (isCheckpoint) of.checkpointAt = at;
      }
      file.goodBytes = cursor.offset;
    }
    if (file.goodBytes < bytes.length) {
      log.warn({ file: path, offset: file.goodBytes }, 'broken end of a log skipped');
    }
    return file;
  });
  const packets = replaySeen(seen, byId, log);
  return { packets, files: seen.map(({ path, ids, lastUs }) => ({ path, channels: ids, lastUs })) };
}

function replaySeen(files: readonly Seen[], byId: ReadonlyMap<string, Replayed>, log: Log): number {
  let at = 0;
  let packets = 0;
  let lastUs = 0;
  // Where the log has a pause, its writer may have had one: what waited unread then was no loss to it.
  let dryUs = 0;
  for (const { path, ids, goodBytes } of files) {
    const replayed = ids.map((id) => byId.get(id));
    const cursor = new WalCursor(bytesOf(path, log), goodBytes);
    while (cursor.next()) {
      const { kind, us } = cursor;
      if (kind === 'channel') continue;
      if (us - lastUs > STALL_US) dryUs = us;
      lastUs = us;
      const of = replayed[cursor.number];
      if (kind === 'clock') {
        of?.channel.replayClock(us, cursor.endTick, dryUs);
        continue;
      }
      at++;
      if (of === undefined || !of.lacks(at, cursor.ssrc, cursor.sequence)) continue;
      packets++;
      of.channel.replay(cursor.datagram, cursor.address, cursor.port, us, cursor.endTick, dryUs);
    }
  }
  return packets;
}

function bytesOf(path: string, log: Log): Buffer {
  try {
    return fs.readFileSync(path);
  } catch (error) {
    log.error({ err: error, file: path }, 'log cannot be read');
    return Buffer.alloc(0);
  }
}

/**
 * The first attempt of a replacement: in a thousand that its predecessor did not use, since attempts rise between two writes of
 * the leg file.
 */
export const nextGeneration = (attempts: readonly number[]): number =>
  (Math.floor(Math.max(0, ...attempts) / ATTEMPTS_OF_A_PROCESS) + 1) * ATTEMPTS_OF_A_PROCESS + 1;

/** A leg that a predecessor had closed: its totals stand, and its channels' audio is in the files. */
export function restoreClosed(leg: MediaLeg, totals: readonly ChannelTotals[]): void {
  leg.state = 'closed';
  leg.totals = totals;
  leg.ending = Promise.resolve(totals);
  for (const channel of leg.channels) {
    const total = totals.find((each) => each.channel === channel.id);
    channel.restoreEnded(total?.endTick ?? 0);
  }
}
