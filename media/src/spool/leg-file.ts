import fs from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallId, ChannelTotals, Leg, LegId, RecognitionState } from '@earshot/contracts';

/**
 * DATA_DIR/spool/<callId>/leg-<n>.json: what a replacement of this worker needs to know of a leg. It is there from before the
 * leg is answered until its last tick is committed.
 */
export interface LegRecord {
  readonly version: 1;
  readonly leg: Leg;
  readonly worker: number;
  /** By channel id: the last attempt that was asked for. A hint: transcripts knows better. */
  readonly attempts: Readonly<Record<string, number>>;
  /** By channel id: where the timelines were when the call was paused; those that are paused. */
  readonly pausedTicks?: Readonly<Record<string, number>>;
  /** The disk was nearly full when the call began: that is why it is not recorded. */
  readonly diskLow?: boolean;
  /** How recognition goes with its call. Left out: `current`. */
  readonly recognition?: RecognitionState;
  /** Null while the leg is open; then what its channels received, with their end ticks. */
  readonly closed: readonly ChannelTotals[] | null;
}

export const callFolder = (spoolFolder: string, callId: CallId): string => join(spoolFolder, callId);

const legFileName = (legId: LegId): string => `leg-${legId.slice(legId.lastIndexOf('/') + 1)}.json`;
const LEG_FILE = /^leg-\d+\.json$/;
/** How the folder of a call ends that is being removed: what is left of it is no call. */
export const GOING = '.going';

/** Written beside and renamed, so that a reader finds the old one or the new one. @throws system errors */
export async function writeLegFile(spoolFolder: string, record: LegRecord): Promise<void> {
  const folder = callFolder(spoolFolder, record.leg.callId);
  const path = join(folder, legFileName(record.leg.legId));
  await mkdir(folder, { recursive: true });
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    // The keys of protected streams are in it; one that is there already, from a write that was cut short, has the mode it had.
    await file.chmod(0o600);
    await file.writeFile(JSON.stringify(record));
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

export async function removeLegFile(spoolFolder: string, leg: Leg): Promise<void> {
  await rm(join(callFolder(spoolFolder, leg.callId), legFileName(leg.legId)), { force: true });
}

export interface LegFiles {
  readonly records: readonly LegRecord[];
  /** Files that are not leg records. */
  readonly damaged: number;
}

/**
 * All legs of the workers that are `mine`. Other workers' legs are passed over, damaged files counted. Synchronous, as is all that
 * a replacement does before it reads its sockets.
 * @throws system errors of the spool's folder
 */
export function readLegFiles(spoolFolder: string, mine: (worker: number) => boolean): LegFiles {
  const records: LegRecord[] = [];
  let damaged = 0;
  for (const call of fs.readdirSync(spoolFolder, { withFileTypes: true })) {
    if (!call.isDirectory() || call.name === 'wal' || call.name.endsWith(GOING)) continue;
    const folder = join(spoolFolder, call.name);
    for (const name of namesIn(folder)) {
      if (!LEG_FILE.test(name)) continue;
      const record = parseLegRecord(textOf(join(folder, name)));
      if (record === null) damaged++;
      else if (mine(record.worker)) records.push(record);
    }
  }
  return { records, damaged };
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (_removedMeanwhileByPostCall) {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (_cannotBeRead) {
    return '';
  }
}

/** @returns null when the text is not a leg record */
export function parseLegRecord(text: string): LegRecord | null {
  try {
    const record = JSON.parse(text) as LegRecord;
    const sound =
      record.version === 1 &&
      typeof record.worker === 'number' &&
      typeof record.leg.callId === 'string' &&
      typeof record.leg.legId === 'string' &&
      typeof record.leg.zero.monoUs === 'number' &&
      Array.isArray(record.leg.channels) &&
      typeof record.attempts === 'object';
    return sound ? record : null;
  } catch (_notJson) {
    return null;
  }
}
