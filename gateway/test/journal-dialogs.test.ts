import fc from 'fast-check';
import { newCallId, type CallId } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import { applyLine, dialogsOf, type JournalEntry, type JournalLine } from '../src/journal/record.ts';
import { recordOf } from './support/record.ts';

const callId = newCallId(1, new Uint8Array(10));
const legOf = (n: number) => ({
  callId,
  legId: `${callId}/${n}` as never,
  zero: { wallMs: 1, monoUs: 1 },
  rtpTimeoutS: 60,
  record: true,
  channels: [],
});
const dialog = (n: number, source = '') => {
  const record = recordOf(legOf(n), `dialog ${n}`);
  return { ...record, info: { ...record.info, sip: { ...record.info.sip, source } } };
};
const waiting = { untilMs: 9, endedAtMs: 2, endReason: 'bye' } as const;
const end = { endedAtMs: 2, endReason: 'bye', channels: [] } as const;
const after = (...lines: JournalLine[]): JournalEntry | undefined => {
  const entries = new Map<CallId, JournalEntry>();
  for (const line of lines) applyLine(entries, line);
  return entries.get(callId);
};
const idsOf = (entry: JournalEntry | undefined): string[] =>
  dialogsOf(entry!).map(({ dialogId }) => dialogId);

describe('a call of several dialogs in the journal', () => {
  it('has those that are up, with one description for all', () => {
    const two = after({ type: 'opened', call: dialog(0) }, { type: 'joined', call: dialog(1, 'new') });
    expect(idsOf(two)).toEqual(['dialog 0', 'dialog 1']);
    expect(dialogsOf(two!).map(({ info }) => info.sip.source)).toEqual(['new', 'new']);
    expect(two!.updatePending).toBe(true);
    const one = after(
      { type: 'opened', call: dialog(0) },
      { type: 'joined', call: dialog(1) },
      { type: 'left', callId, dialogId: 'dialog 0', waiting: null },
      { type: 'updated', call: dialog(1, 'moved'), announce: false },
    );
    expect(idsOf(one)).toEqual(['dialog 1']);
    expect(one!.call.info.sip.source).toBe('moved');
  });

  it('that waits keeps its last one until the next takes its place', () => {
    const left = { type: 'left', callId, dialogId: 'dialog 0', waiting } as const;
    expect(after({ type: 'opened', call: dialog(0) }, left)).toMatchObject({ waiting, end: null });
    const next = after({ type: 'opened', call: dialog(0) }, left, { type: 'joined', call: dialog(1) });
    expect(idsOf(next)).toEqual(['dialog 1']);
    expect(next!.waiting).toBe(null);
  });

  it('is live again when a dialog joins whose INVITE came before the end of the others', () => {
    const ended = { type: 'ended', callId, end } as const;
    const entry = after({ type: 'opened', call: dialog(0) }, ended, { type: 'joined', call: dialog(1) });
    expect(entry!.end).toBe(null);
    expect(idsOf(entry)).toEqual(['dialog 1']);
  });

  it('has a dialog, and one description, after any lines in any order', () => {
    const line = fc.oneof(
      fc.nat({ max: 3 }).map((n): JournalLine => ({ type: 'joined', call: dialog(n, `joined ${n}`) })),
      fc
        .nat({ max: 3 })
        .map((n): JournalLine => ({ type: 'updated', call: dialog(n, `moved ${n}`), announce: true })),
      fc.tuple(fc.nat({ max: 3 }), fc.boolean()).map(([n, waits]): JournalLine => ({
        type: 'left',
        callId,
        dialogId: `dialog ${n}`,
        waiting: waits ? waiting : null,
      })),
      fc.constant<JournalLine>({ type: 'ended', callId, end }),
      fc.constant<JournalLine>({ type: 'described', info: dialog(0, 'described').info }),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const entry = after({ type: 'opened', call: dialog(0) }, ...lines)!;
        const dialogs = dialogsOf(entry);
        expect(dialogs.length).toBeGreaterThan(0);
        expect(new Set(dialogs.map(({ info }) => info.sip.source)).size).toBe(1);
      }),
    );
  });
});
