import { appendFile, mkdir, mkdtemp, readFile, rm, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DialogFile, replay } from '../../src/dialog/file.ts';
import { dialogId, type DialogRecord } from '../../src/dialog/record.ts';
import { quiet } from '../support/endpoint.ts';

const record = (callId: string, localSeq = 0): DialogRecord => ({
  id: dialogId(callId, 'r'),
  callId,
  role: 'uas',
  localTag: 'l',
  remoteTag: 'r',
  localParty: '<sip:a@b>;tag=l',
  remoteParty: '"J\xfcrgen" <sip:c@d>;tag=r',
  localSeq,
  remoteSeq: 1,
  remoteTarget: 'sip:c@192.0.2.7',
  routeSet: ['<sip:p;lr>'],
  proto: 'udp',
  peerAddress: '192.0.2.7',
  peerPort: 5060,
  localAddress: '192.0.2.9',
  localPort: 5060,
});

let folder: string;
let path: string;
let live: Map<string, DialogRecord>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'earshot-dialogs-'));
  path = join(folder, 'deeper', 'dialogs.jsonl');
  live = new Map();
});
afterEach(() => rm(folder, { recursive: true }));

const openFile = () =>
  DialogFile.open(
    path,
    quiet,
    (id) => live.get(id),
    () => live.values(),
  );

const openRecords = async (): Promise<DialogRecord[]> => {
  const { file, records } = await openFile();
  await file.close();
  return records;
};

describe('the dialog file', () => {
  it('gives back what is live, with changes and without what has ended', async () => {
    const { file } = await openFile();
    for (const name of ['a', 'b', 'c']) {
      live.set(record(name).id, record(name));
      file.touch(record(name).id);
    }
    await file.close();
    const second = await openFile();
    expect(second.records.map((r) => r.callId)).toEqual(['a', 'b', 'c']);
    live.delete(record('b').id);
    live.set(record('a').id, record('a', 5));
    second.file.touch(record('b').id);
    second.file.touch(record('a').id);
    await second.file.close();
    const third = await openFile();
    expect(third.records).toEqual([record('a', 5), record('c')]);
    await third.file.close();
  });

  it('keeps nothing of calls that have ended, once none is live', async () => {
    const { file } = await openFile();
    live.set(record('a').id, record('a'));
    file.touch(record('a').id);
    await file.flush();
    expect(await readFile(path, 'utf8')).toContain('sip:c@d');
    live.clear();
    file.touch(record('a').id);
    await file.close();
    expect(await readFile(path, 'utf8')).toBe('');
  });

  it('says once that it cannot be rewritten, goes on, and makes up for it when it can', async () => {
    const said: string[] = [];
    const note = (_fields: object, message: string): void => void said.push(message);
    const log = { ...quiet, error: note, info: note };
    const { file } = await DialogFile.open(
      path,
      log,
      (id) => live.get(id),
      () => live.values(),
    );
    // A folder in the way of the rewritten file stands for a disk that refuses.
    await mkdir(`${path}.new`);
    for (const name of ['a', 'b']) {
      const { id } = record(name);
      live.set(id, record(name));
      file.touch(id);
      await file.flush();
      live.delete(id);
      file.touch(id);
      await file.flush();
    }
    expect(said).toEqual(['dialog file could not be written']);
    live.set(record('c').id, record('c'));
    file.touch(record('c').id);
    await file.flush();
    expect((await openRecords()).map((r) => r.callId)).toEqual(['c']);
    await rmdir(`${path}.new`);
    file.touch(record('c').id);
    await file.close();
    expect(said).toEqual(['dialog file could not be written', 'dialog file can be written again']);
    expect((await readFile(path, 'utf8')).trim().split('\n')).toHaveLength(1);
  });

  it('loses only the damaged lines after a crash in the middle of one', async () => {
    const { file } = await openFile();
    live.set(record('a').id, record('a'));
    file.touch(record('a').id);
    await file.close();
    await appendFile(path, 'null\n{"put":{"id":"x"}}\n{"put":{"id":"cut sho');
    const second = await openFile();
    expect(second.records).toEqual([record('a')]);
    live.set(record('z').id, record('z'));
    second.file.touch(record('z').id);
    await second.file.close();
    const third = await openFile();
    expect(third.records).toEqual([record('a'), record('z')]);
    await third.file.close();
  });

  it('stays small: it is rewritten when it has grown far beyond what is live', async () => {
    const { file } = await openFile();
    live.set(record('kept').id, record('kept'));
    file.touch(record('kept').id);
    for (let i = 0; i < 6000; i++) {
      const short = record(`call-${i}`);
      live.set(short.id, short);
      file.touch(short.id);
      // Each is written before it ends.
      if (i % 50 === 49) {
        await file.flush();
        for (const id of [...live.keys()]) if (id !== record('kept').id && live.delete(id)) file.touch(id);
      }
    }
    await file.close();
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    expect(lines.length).toBeLessThan(3000);
    const second = await openFile();
    expect(second.records).toEqual([record('kept')]);
    await second.file.close();
  });

  it('never throws on any text', () => {
    const json = fc.json().map((text) => `{"put":${text}}`);
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), json), { maxLength: 6 }), (lines) => {
        expect(replay(lines.join('\n')).dialogs.size).toBe(0);
      }),
    );
  });
});
