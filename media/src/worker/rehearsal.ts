import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { CallId, ChannelId, Leg, LegId } from '@earshot/contracts';
import { type Config, createLog } from '@earshot/platform';
import { Channel } from '../leg/channel.ts';
import { BlockWriter } from '../spool/block-writer.ts';
import { DiskHealth } from '../spool/disk-health.ts';
import { callFolder, writeLegFile } from '../spool/leg-file.ts';
import { Wal } from '../spool/wal.ts';
import { workerVad } from '../stages/vad-stage.ts';
import { nowUs } from './clock.ts';
import { readInheritance, recall, replayWal, restoreFromBlocks } from './restore.ts';

/**
 * A takeover of made-up calls in a folder of its own. A program that has only been loaded runs in the interpreter, five to ten times
 * slower; after this the compiler has seen all of the path from a dead worker's files to the channels, and that of a packet.
 */
const CALLS = 30;
const ROUNDS = 3;
/** Two blocks, and half of one that is only in the log. */
const PACKETS = 62;
const PACKET_US = 20_000;
const PAYLOAD_BYTES = 160;

/** @throws system errors of the folder for temporary files */
export async function rehearse({ vad }: Config): Promise<void> {
  workerVad.kind = vad;
  const folder = mkdtempSync(join(tmpdir(), 'earshot-rehearsal-'));
  try {
    for (let round = 0; round < ROUNDS; round++) {
      mkdirSync(join(folder, String(round)));
      await leaveFiles(join(folder, String(round)));
      await takeOver(join(folder, String(round)));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const log = createLog('rehearsal', 'silent');

function legOf(n: number): Leg {
  const callId = `rehearsal-${n}` as CallId;
  const channels = [0, 1].map((index) => ({
    channel: `${callId}:${index}` as ChannelId,
    codecs: [{ payloadType: 0, name: 'PCMU' as const }],
    state: 'active' as const,
    remote: null,
  }));
  const zero = { monoUs: nowUs() - PACKETS * PACKET_US, wallMs: 0 };
  return { callId, legId: `${callId}/0` as LegId, zero, channels, rtpTimeoutS: 60, record: false };
}

const channelsOf = (leg: Leg, folder: string, wal: Wal, health: DiskHealth): Channel[] =>
  leg.channels.map((channel, index) => {
    const writer = new BlockWriter(callFolder(folder, leg.callId), index, health);
    return new Channel(channel, leg.zero, writer, wal, leg.zero.monoUs);
  });

/** What a killed worker leaves. */
async function leaveFiles(folder: string): Promise<void> {
  readInheritance(folder, 0, 1, log);
  const health = new DiskHealth(log);
  const wal = new Wal(join(folder, 'wal'), 0, 1, health, nowUs, () => -Infinity);
  const channels: Channel[] = [];
  const datagram = Buffer.alloc(12 + PAYLOAD_BYTES);
  for (let n = 0; n < CALLS; n++) {
    const leg = legOf(n);
    await writeLegFile(folder, { version: 1, leg, worker: 0, attempts: {}, closed: null });
    channels.push(...channelsOf(leg, folder, wal, health));
  }
  for (let packet = 0; packet < PACKETS; packet++) {
    for (const channel of channels) {
      writePacket(datagram, packet);
      channel.receive(datagram, '127.0.0.1', 4000, channel.zero.monoUs + packet * PACKET_US);
      channel.advance(channel.zero.monoUs + packet * PACKET_US, 0);
    }
    await setImmediate();
  }
  for (const channel of channels) {
    await channel.writer.close();
    channel.close();
  }
  wal.close();
}

/** As LegKeeper.adopt does, but for sockets and everything upstream. */
async function takeOver(folder: string): Promise<void> {
  const { legs, walPaths, nextWal } = readInheritance(folder, 0, 1, log);
  const health = new DiskHealth(log);
  const wal = new Wal(join(folder, 'wal'), 0, nextWal, health, nowUs, () => -Infinity);
  const restored = legs.flatMap(({ leg }) =>
    channelsOf(leg, folder, wal, health).map((channel) => ({
      channel,
      last: restoreFromBlocks(channel, folder, leg.callId, log),
    })),
  );
  for (const paths of walPaths) replayWal(paths, restored, log);
  for (const { channel, last } of restored) {
    if (last !== null) recall(channel, last, log);
    await channel.writer.close();
    channel.close();
  }
  wal.close();
}

/** RFC 3550 section 5.1, with noise in it. */
function writePacket(out: Buffer, n: number): void {
  out[0] = 0x80;
  out[1] = 0;
  out.writeUInt16BE(n, 2);
  out.writeUInt32BE(n * PAYLOAD_BYTES, 4);
  out.writeUInt32BE(0x5eed, 8);
  for (let i = 12; i < out.length; i++) out[i] = (i * n * 2_654_435_761) >>> 24;
}
