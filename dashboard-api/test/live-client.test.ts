import type { EventView } from '@earshot/contracts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BEHIND_BYTES, COALESCE_BYTES, LiveClient, type Outlet } from '../src/live/client.ts';

/** An outlet whose network takes nothing until it is told to. */
class Held implements Outlet {
  bufferedBytes = 0;
  readonly sent: string[] = [];
  ended = false;
  event(event: EventView): void {
    this.sent.push(`event ${event.seq}`);
  }
  partial(json: string): void {
    this.sent.push(json);
  }
  behind(seq: number): void {
    this.sent.push(`behind ${seq}`);
  }
  end(): void {
    this.ended = true;
  }
}

const event = (seq: number): EventView => ({
  epoch: 1,
  seq,
  callId: 'c',
  callSeq: seq,
  type: 'call.updated',
  timestamp: new Date(0).toISOString(),
  data: {},
});
const partial = (segmentId: string, json: string) => ({ segmentId, callId: 'c', json });
const live = (outlet: Outlet, after = 0): LiveClient => {
  const client = new LiveClient(outlet, { callId: null, after, partials: true });
  client.caughtUp();
  return client;
};

test('partials to a congested client wait, and the newest of each segment is sent when it takes them', () => {
  const outlet = new Held();
  const client = live(outlet);
  expect(client.partial(partial('a', 'a1'))).toBe(true);
  outlet.bufferedBytes = COALESCE_BYTES + 1;
  for (const json of ['a2', 'a3', 'a4']) expect(client.partial(partial('a', json))).toBe(false);
  client.partial(partial('b', 'b1'));
  client.flush();
  expect(outlet.sent).toEqual(['a1']);
  outlet.bufferedBytes = 0;
  client.flush();
  expect(outlet.sent).toEqual(['a1', 'a4', 'b1']);
});

test('a partial that waits is dropped when its segment is final', () => {
  const outlet = new Held();
  const client = live(outlet);
  outlet.bufferedBytes = COALESCE_BYTES + 1;
  client.partial(partial('a', 'a1'));
  client.settle('a');
  client.event(event(1), '');
  outlet.bufferedBytes = 0;
  client.flush();
  expect(outlet.sent).toEqual(['event 1']);
});

test('events go on to a congested client until it is too far behind', () => {
  const outlet = new Held();
  const client = live(outlet);
  outlet.bufferedBytes = BEHIND_BYTES;
  client.event(event(1), '');
  outlet.bufferedBytes = BEHIND_BYTES + 1;
  client.event(event(2), '');
  client.event(event(3), '');
  client.partial(partial('a', 'a1'));
  expect(outlet.sent).toEqual(['event 1', 'behind 1']);
  expect(outlet.ended).toBe(true);
});

test('whatever way replay and tail interleave, each event after the start is sent once and in order', () => {
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.constantFrom('write', 'replay'), { maxLength: 80 }),
      (after, pageSize, steps) => {
        const outlet = new Held();
        const client = new LiveClient(outlet, { callId: null, after, partials: true });
        let log = 20;
        let isLive = false;
        const replay = (): void => {
          if (isLive) return;
          for (let seq = client.cursor + 1; seq <= Math.min(log, client.cursor + pageSize); seq++) {
            client.replay(event(seq));
          }
          if (client.cursor < log) return;
          client.caughtUp();
          isLive = true;
        };
        for (const step of steps) {
          if (step === 'replay') replay();
          else client.event(event(++log), '');
        }
        while (!isLive) replay();
        client.event(event(++log), '');
        const expected = Array.from({ length: log - after }, (_, index) => `event ${after + 1 + index}`);
        expect(outlet.sent).toEqual(expected);
      },
    ),
  );
});
