import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises';
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
