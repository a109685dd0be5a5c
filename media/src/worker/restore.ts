import fs from 'node:fs/promises';
import { join } from 'node:path';
import type { ChannelId } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { Channel } from '../leg/channel.ts';
import { STALL_US } from './timer.ts';
import { newRtpPacket, parseRtp } from '../rtp/packet.ts';
import { lastBlockOf, type LastBlock } from '../spool/block-reader.ts';
import { callFolder, type LegRecord, readLegFiles } from '../spool/leg-file.ts';
import type { Wal, WalFile } from '../spool/wal.ts';
import { readWal, type WalRecord } from '../spool/wal-record.ts';

/** What a predecessor left. */
export interface Inheritance {
  readonly legs: readonly LegRecord[];
  /** Its logs, oldest first. */
  readonly walPaths: readonly string[];
  /** Number of the next log. */
  readonly nextWal: number;
}

/** @throws system errors when the spool's folders cannot be made or read */
export async function readInheritance(spoolFolder: string, worker: number, log: Log): Promise<Inheritance> {
  const walFolder = join(spoolFolder, 'wal');
  await fs.mkdir(walFolder, { recursive: true });
  const { records, damaged } = await readLegFiles(spoolFolder, worker);
  if (damaged > 0) log.warn({ damaged }, 'damaged leg files skipped');
  const names = (await fs.readdir(walFolder))
    .filter((name) => name.startsWith(`${worker}-`) && name.endsWith('.wal'))
    .sort();
  const numbers = names.map((name) => Number(name.slice(name.indexOf('-') + 1, -'.wal'.length)));
  return {
    legs: records,
    walPaths: names.map((name) => join(walFolder, name)),
    nextWal: Math.max(0, ...numbers.filter(Number.isSafeInteger)) + 1,
  };
}

/** Brings a channel to its last good block. @returns that block, or null when it has none */
export async function restoreFromBlocks(
  channel: Channel,
  spoolFolder: string,
  record: LegRecord,
  log: Log,
): Promise<LastBlock | null> {
  try {
    const last = await lastBlockOf(callFolder(spoolFolder, record.leg.callId), channel.index);
    if (last === null) return null;
    if (last.damagedBytes > 0) {
      log.warn({ channel: channel.id, bytes: last.damagedBytes }, 'damaged end of a spool file cut off');
    }
    channel.restore(last);
    return last;
  } catch (error) {
    log.error({ err: error, channel: channel.id }, 'spool cannot be read; the channel starts without it');
    return null;
  }
}

/** A channel to be brought from its checkpoint to the end of the log. */
interface Replayed {
  readonly channel: Channel;
  readonly last: LastBlock | null;
  /** Where in the log the checkpoint's packet is; -1 when before it. */
  checkpointAt: number;
}

/** As far before the checkpoint's packet a later one may have arrived: what the jitter buffer holds. */
const REORDER_REACH = 64;

/**
 * Replays what the logs have after the channels' checkpoints, through the channels' own pipelines with the recorded arrival
 * times, and hands the files to the new log to be deleted when they are covered.
 */
export async function replayWal(
  inheritance: Inheritance,
  channels: readonly { channel: Channel; last: LastBlock | null }[],
  wal: Wal,
  log: Log,
): Promise<{ packets: number }> {
  const byId = new Map<string, Replayed>();
  for (const { channel, last } of channels) byId.set(channel.id, { channel, last, checkpointAt: -1 });
  const header = newRtpPacket();
  let at = 0;
  await eachRecord(inheritance.walPaths, null, (record) => {
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
  const files = await eachRecord(inheritance.walPaths, log, (record) => {
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
  for (const file of files) wal.inherit(file);
  return { packets };
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
