import fs from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type CallId, type Leg, NOT_RECORDED_FILE, TICKS_PER_FILE } from '@earshot/contracts';
import type { Log } from '@earshot/platform';
import type { ReadWindow } from '../asr-link/asr-channel.ts';
import type { Channel } from '../leg/channel.ts';
import { emptyWindow, readWindow, spoolFilesOf, type WindowRead } from '../spool/block-reader.ts';
import { BlockWriter } from '../spool/block-writer.ts';
import type { DiskHealth } from '../spool/disk-health.ts';
import { DiskSpace } from '../spool/disk-space.ts';
import { callFolder, GOING, type LegRecord, removeLegFile, writeLegFile } from '../spool/leg-file.ts';

/** What cannot be read becomes a gap for good, and too many open files or a disk's hiccup pass: 0.1, 0.2 ... 1.6 s. */
const READ_RETRIES = 5;
const FIRST_READ_PAUSE_MS = 100;

/** Tries again, with a growing pause. @throws what the last try threw */
async function patiently<T>(work: () => Promise<T>, health: DiskHealth): Promise<T> {
  for (let retry = 0; ; retry++) {
    try {
      return await work();
    } catch (error) {
      if (retry === READ_RETRIES) throw error;
      health.readRetries++;
      await setTimeout(FIRST_READ_PAUSE_MS * 2 ** retry);
    }
  }
}

/** The folder of calls on disk: errors are logged and counted here, and no caller hears of them. */
export class SpoolRoom {
  readonly folder: string;
  readonly health: DiskHealth;
  readonly space: DiskSpace;
  readonly #log: Log;
  readonly #worker: number;

  /** @param reserve share of the disk, 0 to 1, below which nothing new is recorded */
  constructor(dataDir: string, worker: number, health: DiskHealth, log: Log, reserve: number) {
    this.folder = join(dataDir, 'spool');
    this.#worker = worker;
    this.health = health;
    this.space = new DiskSpace(() => fs.statfs(this.folder), log, reserve);
    this.#log = log;
  }

  /**
   * The leg as it is to be kept: a call that begins while the disk is nearly full is not recorded, from its first leg to its last.
   * @param sibling another leg of the call
   */
  asRoomIs(leg: Leg, sibling: Leg | null): Leg {
    if (!leg.record || (sibling?.record ?? !this.space.scarce)) return leg;
    this.#log.warn({ callId: leg.callId }, 'not recorded: the disk is nearly full');
    return { ...leg, record: false };
  }

  get walFolder(): string {
    return join(this.folder, 'wal');
  }

  writerFor(leg: Leg, channelIndex: number): BlockWriter {
    return new BlockWriter(callFolder(this.folder, leg.callId), channelIndex, this.health);
  }

  windowsFor(leg: Leg, channelIndex: number): ReadWindow {
    const folder = callFolder(this.folder, leg.callId);
    return async (fromTick, upToTick) => {
      try {
        const read = (): Promise<WindowRead> => readWindow(folder, channelIndex, fromTick, upToTick);
        const { window, damaged } = await patiently(read, this.health);
        if (damaged > 0)
          this.#log.warn({ callId: leg.callId, channelIndex, damaged }, 'damaged spool blocks skipped');
        return window;
      } catch (error) {
        const { callId } = leg;
        this.health.errors++;
        this.#log.error(
          { err: error, callId, channelIndex, fromTick, upToTick },
          'spool files cannot be read; their audio is taken for a gap',
        );
        return emptyWindow(fromTick, upToTick);
      }
    };
  }

  async saveLeg(leg: Leg, state: Omit<LegRecord, 'version' | 'leg' | 'worker'>): Promise<void> {
    try {
      await writeLegFile(this.folder, { version: 1, leg, worker: this.#worker, ...state });
    } catch (error) {
      this.health.failed(error as Error);
    }
  }

  /** Tells whoever makes recordings that there is none to make of this call. */
  async markNotRecorded(callId: CallId): Promise<void> {
    const folder = callFolder(this.folder, callId);
    try {
      await fs.mkdir(folder, { recursive: true });
      await fs.writeFile(join(folder, NOT_RECORDED_FILE), '');
    } catch (error) {
      this.health.failed(error as Error);
    }
  }

  /** All of the leg is committed. @param last no other leg of its call is on this worker */
  async forgetLeg(leg: Leg, last: boolean): Promise<void> {
    try {
      if (!last || leg.record) return await removeLegFile(this.folder, leg);
      // At once: half of it would be taken for a call with silence in it.
      const folder = callFolder(this.folder, leg.callId);
      await fs.rename(folder, `${folder}${GOING}`);
      await fs.rm(`${folder}${GOING}`, { recursive: true, force: true });
    } catch (error) {
      this.health.failed(error as Error);
    }
  }

  /** Removes what removals that were cut short have left. A folder that somebody else removes just now is as good as removed. */
  async removeGoing(): Promise<void> {
    const left = (error: unknown): void =>
      this.#log.warn({ err: error }, 'what is left of a removed call cannot be removed');
    const names = await fs.readdir(this.folder).catch((error: unknown) => (left(error), []));
    for (const name of names) {
      if (!name.endsWith(GOING)) continue;
      await fs.rm(join(this.folder, name), { recursive: true, force: true }).catch(left);
    }
  }

  /** Without a recording to make, a long call's committed files go while it lives. */
  async dropFiles(leg: Leg, channel: Channel, beforeTick: number): Promise<void> {
    const folder = callFolder(this.folder, leg.callId);
    try {
      for (const name of await spoolFilesOf(folder, channel.index)) {
        const number = Number(name.slice(name.indexOf('-') + 1, -'.spool'.length));
        // A block may reach over its file's end.
        if ((number + 2) * TICKS_PER_FILE < beforeTick) await fs.rm(join(folder, name), { force: true });
      }
    } catch (error) {
      this.health.failed(error as Error);
    }
  }
}
