import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { channelIdOf, legIdOf, type CallId } from '@earshot/contracts';
import { createLog, type Log } from '@earshot/platform';
import { realDisk, type Disk } from '../src/journal/disk.ts';
import { Journal } from '../src/journal/journal.ts';
import type { CallRecord } from '../src/journal/record.ts';
import { recordOf } from './support/record.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'journal-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const open = (): Journal => new Journal(folder, createLog('test', 'silent'));
const file = (): string => join(folder, 'calls.jsonl');

function record(id: string): CallRecord {
  const callId = id as CallId;
  return recordOf(
    {
      callId,
      legId: legIdOf(callId, 0),
      zero: { wallMs: 1, monoUs: 1 },
      channels: [
        {
          channel: channelIdOf(callId, 0),
          codecs: [{ payloadType: 0, name: 'PCMU' }],
          state: 'active',
          remote: null,
        },
      ],
      rtpTimeoutS: 60,
      record: true,
    },
    `${id};from-tag=1`,
  );
}
/** A disk with so much room: what is written beyond it is cut off, as write(2) does. */
class SmallDisk implements Disk {
  room: number;
  constructor(room: number) {
    this.room = room;
  }
  open(path: string, flags: 'a' | 'w'): number {
    if (this.room < 0) this.#full();
    return realDisk.open(path, flags);
  }
  write(file: number, bytes: Uint8Array): number {
    if (this.room <= 0) this.#full();
    const head = bytes.subarray(0, this.room);
    this.room -= head.length;
    return realDisk.write(file, head);
  }
  #full(): never {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  }
}
const idsOf = (journal: Journal): string[] => journal.entries.map(({ call }) => call.info.callId);
const opened = (id: string) => ({ type: 'opened', call: record(id) }) as const;

/** A log that counts its errors. */
function countingLog(): { log: Log; errors: () => number } {
  const log = createLog('test', 'silent');
  const spy = vi.spyOn(log, 'error');
  return { log, errors: () => spy.mock.calls.length };
}
const end = { endedAtMs: 2, endReason: 'bye', channels: [] } as const;

describe('the journal', () => {
  it('gives the next process the calls that are live or whose end was not acknowledged', () => {
    const journal = open();
    const [live, ended, settled] = ['live', 'ended', 'settled'].map(record) as [
      CallRecord,
      CallRecord,
      CallRecord,
    ];
    for (const call of [live, ended, settled]) journal.append({ type: 'opened', call });
    journal.append({ type: 'acked', callId: live.info.callId, what: 'started' });
    const moved = { ...live, answer: { ...live.answer, version: 2 } };
    journal.append({ type: 'updated', call: moved, announce: true });
    for (const { info } of [ended, settled]) journal.append({ type: 'ended', callId: info.callId, end });
    journal.append({ type: 'settled', callId: settled.info.callId });
    journal.close();
    const next = open();
    expect(next.entries).toEqual([
      { call: moved, further: [], startedAcked: true, updatePending: true, end: null },
      { call: ended, startedAcked: false, updatePending: false, end },
    ]);
    next.close();
  });

  it('loses only the line that was being written when the process was killed', () => {
    const journal = open();
    journal.append({ type: 'opened', call: record('whole') });
    journal.close();
    appendFileSync(file(), JSON.stringify({ type: 'opened', call: record('cut') }).slice(0, 100));
    const next = open();
    expect(next.entries.map(({ call }) => call.info.callId)).toEqual(['whole']);
    // The broken line is gone from the file, so that what is appended now stands on a line of its own.
    next.append({ type: 'opened', call: record('after') });
    next.close();
    expect(open().entries.map(({ call }) => call.info.callId)).toEqual(['whole', 'after']);
  });

  it('does not grow with the number of calls that have come and gone', () => {
    const journal = open();
    journal.append({ type: 'opened', call: record('stays') });
    for (let n = 0; n < 8_000; n++) {
      const call = record(`call ${n}`);
      journal.append({ type: 'opened', call });
      journal.append({ type: 'ended', callId: call.info.callId, end });
      journal.append({ type: 'settled', callId: call.info.callId });
    }
    expect(statSync(file()).size).toBeLessThan(5 * 1024 * 1024);
    journal.close();
    const next = open();
    expect(next.entries.map(({ call }) => call.info.callId)).toEqual(['stays']);
    expect(readFileSync(file(), 'utf8').split('\n')).toHaveLength(2);
    next.close();
  });

  it('says what to do when its folder cannot be made', () => {
    appendFileSync(join(folder, 'a-file'), '');
    expect(() => new Journal(join(folder, 'a-file', 'x'), createLog('test', 'silent'))).toThrow(
      expect.objectContaining({ code: 'DATA_DIR_UNUSABLE' }),
    );
  });

  describe('on a full disk', () => {
    afterEach(() => vi.restoreAllMocks());

    it('keeps the file that it has when there is no room for a compacted one', () => {
      const journal = open();
      for (const id of ['one', 'two', 'three']) journal.append(opened(id));
      journal.close();
      const before = readFileSync(file(), 'utf8');
      const { log, errors } = countingLog();
      const disk = new SmallDisk(100);
      const next = new Journal(folder, log, disk);
      expect(idsOf(next)).toEqual(['one', 'two', 'three']);
      expect(errors()).toBe(1);
      expect(readFileSync(file(), 'utf8')).toBe(before);
      disk.room = Infinity;
      next.append(opened('four'));
      next.close();
      expect(idsOf(open())).toEqual(['one', 'two', 'three', 'four']);
    });

    it('loses no other line to one that was cut, and has that one too once there is room', () => {
      const { log, errors } = countingLog();
      const disk = new SmallDisk(Infinity);
      const journal = new Journal(folder, log, disk);
      journal.append(opened('one'));
      disk.room = 50;
      for (const id of ['cut', 'lost']) journal.append(opened(id));
      expect(errors()).toBe(1);
      disk.room = Infinity;
      journal.append(opened('two'));
      expect(idsOf(journal)).toEqual(['one', 'cut', 'lost', 'two']);
      // The file as it is now, before it is made whole.
      const copy = join(folder, 'copy');
      mkdirSync(copy);
      copyFileSync(file(), join(copy, 'calls.jsonl'));
      expect(idsOf(new Journal(copy, createLog('test', 'silent')))).toEqual(['one', 'two']);
      const nowMs = performance.now();
      vi.spyOn(performance, 'now').mockReturnValue(nowMs + 1_500);
      journal.append(opened('three'));
      journal.close();
      expect(idsOf(open())).toEqual(['one', 'cut', 'lost', 'two', 'three']);
      expect(errors()).toBe(1);
    });

    it('starts with no file at all, and makes one when there is room', () => {
      const { log, errors } = countingLog();
      const disk = new SmallDisk(-1);
      const journal = new Journal(folder, log, disk);
      for (const id of ['one', 'two']) journal.append(opened(id));
      expect(idsOf(journal)).toEqual(['one', 'two']);
      expect(errors()).toBe(1);
      disk.room = Infinity;
      const nowMs = performance.now();
      vi.spyOn(performance, 'now').mockReturnValue(nowMs + 1_500);
      journal.append(opened('three'));
      journal.close();
      expect(idsOf(open())).toEqual(['one', 'two', 'three']);
    });
  });
});
