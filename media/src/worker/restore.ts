import fs from 'node:fs/promises';
import { join } from 'node:path';
import type { CallId, ChannelId, ChannelTotals } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { Channel } from '../leg/channel.ts';
import type { MediaLeg } from './media-leg.ts';
import { STALL_US } from './timer.ts';
import { newRtpPacket, parseRtp } from '../rtp/packet.ts';
import { lastBlockOf, type LastBlock } from '../spool/block-reader.ts';
import { callFolder, type LegRecord, readLegFiles } from '../spool/leg-file.ts';
import type { WalFile } from '../spool/wal.ts';
import { readWal, type WalRecord } from '../spool/wal-record.ts';

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
export async function readInheritance(
  spoolFolder: string,
  worker: number,
  workers: number,
  log: Log,
): Promise<Inheritance> {
  const mine = (writer: number): boolean => writer === worker || (worker === 0 && writer >= workers);
  const walFolder = join(spoolFolder, 'wal');
  await fs.mkdir(walFolder, { recursive: true });
  const { records, damaged } = await readLegFiles(spoolFolder, mine);
  if (damaged > 0) log.warn({ damaged }, 'damaged leg files skipped');
  const paths = new Map<number, string[]>();
  let nextWal = 1;
  for (const name of (await fs.readdir(walFolder)).sort()) {
    const [, writer, number] = WAL_FILE.exec(name)?.map(Number) ?? [];
    if (writer === undefined || number === undefined || !mine(writer)) continue;
    paths.set(writer, [...(paths.get(writer) ?? []), join(walFolder, name)]);
    if (writer === worker) nextWal = Math.max(nextWal, number + 1);
  }
  return { legs: records, walPaths: [...paths.values()], nextWal };
}

/** Brings a channel to its last good block. @returns that block, or null when it has none */
export async function restoreFromBlocks(
  channel: Channel,
  spoolFolder: string,
  callId: CallId,
  log: Log,
): Promise<LastBlock | null> {
  try {
    const last = await lastBlockOf(callFolder(spoolFolder, callId), channel.index);
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

/** A channel at its last good block; null when it has none. */
export interface Restored {
  readonly channel: Channel;
  readonly last: LastBlock | null;
}

/** A channel to be brought from its checkpoint to the end of the log. */
interface Replayed extends Restored {
  /** Where in the log the checkpoint's packet is; -1 when before it. */
  checkpointAt: number;
}

/** As far before the checkpoint's packet a later one may have arrived: what the jitter buffer holds. */
const REORDER_REACH = 64;

/**
 * Replays what one writer's logs have after the channels' checkpoints, through the channels' own pipelines with the recorded
 * arrival times.
 * @returns the logs, to be handed to the new one and deleted when they are covered
 */
export async function replayWal(
  walPaths: readonly string[],
  channels: readonly Restored[],
  log: Log,
): Promise<{ packets: number; files: readonly WalFile[] }> {
  const byId = new Map<string, Replayed>();
  for (const { channel, last } of channels) byId.set(channel.id, { channel, last, checkpointAt: -1 });
  const header = newRtpPacket();
  let at = 0;
  await eachRecord(walPaths, null, (record) => {
    at++;
    const replayed = byId.get(record.channel);
    const checkpoint = replayed?.last?.block;
    if (replayed === undefined || checkpoint === undefined || record.kind !== 'packet') return;
    if (parseRtp(record.datagram, header) !== null || header.ssrc !== checkpoint.ssrc) return;
    if (header.sequence === (checkpoint.extendedSequence & 0xffff)) replayed.checkpointAt = at;
  });
  at = 0;
  let packets = 0;
  let lastUs = 0;
  // Where the log has a pause, its writer may have had one: what waited unread then was no loss to it.
  let dryUs = 0;
  const files = await eachRecord(walPaths, log, (record) => {
    at++;
    const recordUs = record.kind === 'clock' ? record.nowUs : record.arrivalUs;
    if (recordUs - lastUs > STALL_US) dryUs = recordUs;
    lastUs = recordUs;
    const replayed = byId.get(record.channel);
    if (replayed === undefined) return;
    const { channel } = replayed;
    if (record.kind === 'clock') {
      channel.replayClock(record.nowUs, record.endTick, dryUs);
      return;
    }
    if (parseRtp(record.datagram, header) !== null || !isAfter(replayed, at, header.ssrc, header.sequence))
      return;
    packets++;
    channel.replay(record.datagram, record.address, record.port, record.arrivalUs, record.endTick, dryUs);
  });
  return { packets, files };
}

function isAfter(replayed: Replayed, at: number, ssrc: number, sequence: number): boolean {
  const checkpoint = replayed.last?.block;
  if (checkpoint === undefined) return true;
  const step = ((sequence - checkpoint.extendedSequence) << 16) >> 16;
  if (at > replayed.checkpointAt) return ssrc !== checkpoint.ssrc || step > 0;
  return ssrc === checkpoint.ssrc && step > 0 && step <= REORDER_REACH;
}

async function eachRecord(
  paths: readonly string[],
  log: Log | null,
  onRecord: (record: WalRecord) => void,
): Promise<WalFile[]> {
  const files: WalFile[] = [];
  for (const path of paths) {
    const last = new Map<string, number>();
    try {
      const end = readWal(await fs.readFile(path), (record) => {
        if (record.kind === 'packet') last.set(record.channel, record.arrivalUs);
        onRecord(record);
      });
      if (end.kind === 'broken') log?.warn({ file: path, offset: end.offset }, 'broken end of a log skipped');
    } catch (error) {
      log?.error({ err: error, file: path }, 'log cannot be read');
    }
    files.push({ path, channels: [...last.keys()] as ChannelId[], lastUs: [...last.values()] });
  }
  return files;
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
