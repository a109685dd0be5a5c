import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { channelIdOf, legIdOf, type CallId } from '@earshot/contracts';
import { createLog } from '@earshot/platform';
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
      { call: moved, startedAcked: true, updatePending: true, end: null },
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
});
