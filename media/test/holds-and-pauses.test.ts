/** Holds and pauses begin and end in the ledger when they were ordered. */
import { describe, expect, it } from 'vitest';
import { BEHIND, ClockedLine, G729, NOISE, NOISE_LEVEL, UNAGREED } from './support/line.ts';

describe('a hold', () => {
  it('is held from its re-INVITE to the next one, and the silence before it is absent', () => {
    const line = new ClockedLine();
    line.send(4);
    line.rest(4);
    line.update({ state: 'held' });
    line.rest(4);
    line.update({ state: 'active' });
    line.send(4);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['absent', 4],
      ['held', 4],
      ['received', 4],
    ]);
  });

  it('follows audio at once, is that whatever comes meanwhile, and ends where nothing follows it', () => {
    const line = new ClockedLine();
    line.send(4);
    line.update({ state: 'held' });
    line.send(2, NOISE, NOISE_LEVEL);
    line.send(2, UNAGREED, G729);
    line.rest(2);
    line.update({ state: 'active' });
    line.rest(6);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['held', 6],
      ['absent', 6 - BEHIND],
    ]);
  });

  it('of a moment is a hold', () => {
    const line = new ClockedLine();
    line.send(4);
    line.update({ state: 'held' });
    line.rest(0.3);
    line.update({ state: 'active' });
    line.send(1);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['held', 0.3],
      ['received', 1],
    ]);
  });

  it('of a stream that is taken away and comes back with another codec is as long as it was away', () => {
    const line = new ClockedLine();
    line.rest(1);
    line.update({ state: 'held' });
    line.rest(2);
    line.update({ state: 'active', codecs: [{ payloadType: 8, name: 'PCMA' }] });
    line.rest(1);
    line.send(1, 8);
    expect(line.finish()).toEqual([
      ['absent', 1],
      ['held', 2],
      ['absent', 1],
      ['received', 1],
    ]);
  });

  it('of a stream that is added on hold begins when it is added', () => {
    const line = new ClockedLine(undefined, { state: 'held' }, 80_000);
    line.rest(3);
    line.update({ state: 'active' });
    line.send(1);
    expect(line.finish()).toEqual([
      ['absent', 10],
      ['held', 3],
      ['received', 1],
    ]);
    const first = new ClockedLine(undefined, { state: 'held' }, 400);
    first.rest(3);
    expect(first.finish()).toEqual([['held', 3.05 - BEHIND]]);
  });
});

describe('a pause', () => {
  it('is paused from its order to the next one, whatever is sent, and not while nothing follows it', () => {
    const line = new ClockedLine();
    line.send(4);
    line.rest(4);
    line.pause(true);
    line.send(4);
    line.pause(false);
    line.rest(8);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['absent', 4],
      ['paused', 4],
      ['absent', 8 - BEHIND],
    ]);
  });

  it('of a moment is a pause', () => {
    const line = new ClockedLine();
    line.send(4);
    line.pause(true);
    line.send(0.3);
    line.pause(false);
    line.send(4);
    expect(line.finish()).toEqual([
      ['received', 4],
      ['paused', 0.3],
      ['received', 4],
    ]);
  });

  it('goes before a hold, and leaves of it what is outside', () => {
    const line = new ClockedLine();
    line.send(2);
    line.update({ state: 'held' });
    line.rest(2);
    line.pause(true);
    line.rest(2);
    line.pause(false);
    line.rest(2);
    line.pause(true);
    line.rest(1);
    line.update({ state: 'active' });
    line.rest(1);
    line.pause(false);
    line.send(1);
    expect(line.finish()).toEqual([
      ['received', 2],
      ['held', 2],
      ['paused', 2],
      ['held', 2],
      ['paused', 2],
      ['received', 1],
    ]);
  });
});
