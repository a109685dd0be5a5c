import type { EngineRow, Leg } from '@earshot/contracts';
import { afterEach, expect, it } from 'vitest';
import { siprecInvite } from './support/bodies.ts';
import { Rig } from './support/rig.ts';
import type { ClientDialog } from './support/sip-client.ts';
import { until } from './support/until.ts';

let rig: Rig;
afterEach(() => rig.stop());

const LIMIT_MS = 30_000;
/** 0.8 × 5 channels of unbroken speech, half of the time each: 8 channels, 4 calls. */
const table: EngineRow[] = [{ engine: 0, headroom: 1, channels: 0, capacity: 5 }];

const statusOf = async (dialog: ClientDialog): Promise<number> => (await dialog.invite(siprecInvite)).status;
const opened = (n: number): Leg => rig.media[0]!.of('leg.open')[n]!.leg;

/** Calls one after the other; the dialogs of those that were answered. */
async function answered(calls: number): Promise<ClientDialog[]> {
  const client = await rig.client();
  const dialogs = Array.from({ length: calls }, () => client.dialog());
  for (const dialog of dialogs) expect(await statusOf(dialog)).toBe(200);
  return dialogs;
}

it('beyond the room for recognition as many as may wait are answered and recorded, and no more', async () => {
  rig = await Rig.start();
  rig.gateway.engines(table);
  await answered(6);
  expect(await statusOf((await rig.client()).dialog())).toBe(503);
  expect([0, 1, 2, 3, 4, 5].map((n) => opened(n).deferred)).toEqual([
    ...Array<undefined>(4).fill(undefined),
    true,
    true,
  ]);
  const started = rig.transcripts.of('call.started').map(({ call }) => call.recognition);
  expect(started).toEqual([undefined, undefined, undefined, undefined, 'waiting', 'waiting']);
  expect(await rig.registry.metrics()).toMatch(/^earshot_record_first_calls_total(\{.*\})? 2$/m);
});

it('a call whose recognition begins counts as one that is recognised, and gives its waiting place free', async () => {
  rig = await Rig.start({ env: { RECORD_FIRST_CALLS: '1' } });
  rig.gateway.engines(table);
  const dialogs = await answered(5);
  const { callId, legId } = opened(4);
  expect(await statusOf((await rig.client()).dialog())).toBe(503);
  const media = rig.media[0]!;
  for (const dialog of dialogs.slice(0, 2)) expect((await dialog.bye()).status).toBe(200);
  await until('two are gone', () => rig.gateway.liveCalls === 3, LIMIT_MS);
  media.send({ type: 'recognition.begun', callId });
  await until('transcripts hears of it', () => rig.transcripts.of('call.updated')[0], LIMIT_MS);
  // Three are recognised now: there is room for one, and a place to wait for another.
  await answered(2);
  expect([opened(5).deferred, opened(6).deferred]).toEqual([undefined, true]);
  expect(await statusOf((await rig.client()).dialog())).toBe(503);

  // A worker, and a gateway, that come after these two know it.
  await media.die();
  await media.listen();
  const synced = (): Leg[] => [...(media.of('leg.sync').at(-1)?.legs ?? [])];
  await until('the worker is told its legs', () => synced().length === 5, LIMIT_MS);
  expect(synced().find((leg) => leg.legId === legId)!.deferred).toBeUndefined();
  rig.gateway.stop();
  const syncs = media.of('leg.sync').length;
  await rig.startGateway();
  await until('the worker is told by another', () => media.of('leg.sync').length > syncs, LIMIT_MS);
  expect(synced().filter(({ deferred }) => deferred === true)).toHaveLength(1);
  rig.gateway.engines(table);
  expect(await statusOf((await rig.client()).dialog())).toBe(503);
});

it('calls that have ended and wait count, and a scarce disk lets none wait', async () => {
  rig = await Rig.start();
  rig.gateway.engines(table);
  await answered(4);
  const [media] = rig.media;
  const client = await rig.client();
  /** Says so, and has it read: the leg that times out is told on the same link afterwards. */
  const report = async (state: { endedWaiting?: number; diskScarce?: boolean }): Promise<void> => {
    const dialog = client.dialog();
    expect(await statusOf(dialog)).toBe(200);
    media!.send({ type: 'load', channels: 8, loopDelayMs: 1, ...state });
    media!.send({ type: 'leg.timeout', legId: media!.of('leg.open').at(-1)!.leg.legId });
    await dialog.incoming('BYE');
    await until('it is gone', () => rig.gateway.liveCalls === 4, LIMIT_MS);
  };
  await report({ endedWaiting: 1 });
  await answered(1);
  expect(await statusOf(client.dialog())).toBe(503);
  media!.send({ type: 'load', channels: 8, loopDelayMs: 1, endedWaiting: 1, diskScarce: true });
  media!.send({ type: 'leg.timeout', legId: media!.of('leg.open').at(-1)!.leg.legId });
  await until('the one that waits is gone', () => rig.gateway.liveCalls === 4, LIMIT_MS);
  expect(await statusOf(client.dialog())).toBe(503);
});
