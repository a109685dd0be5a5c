import type { CallId } from '@earshot/contracts';
import { afterEach, describe, expect, it } from 'vitest';
import { MULTIPART, sdpOf, siprecBody } from './support/bodies.ts';
import type { FakeMedia } from './support/fake-media.ts';
import { Rig } from './support/rig.ts';
import type { ClientDialog } from './support/sip-client.ts';
import { until } from './support/until.ts';

let rig: Rig;
let media: FakeMedia;
let dialog: ClientDialog;
const start = async (): Promise<void> => {
  rig = await Rig.start();
  media = rig.media[0]!;
  dialog = (await rig.client()).dialog();
};
afterEach(() => rig.stop());

const callId = async (): Promise<CallId> =>
  (await until('call.started', () => rig.transcripts.of('call.started')[0])).call.callId;
const pause = async (paused = true): Promise<void> =>
  rig.transcripts.send({ type: 'call.pause', callId: await callId(), paused });
const paused = (): Promise<unknown> =>
  until('call.updated with the pause', () =>
    rig.transcripts.of('call.updated').find(({ call }) => call.paused === true),
  );
/** What the media worker was told, as `port paused`. */
const told = (): string[] =>
  media.of('leg.update').map(({ leg }) => `${leg.channels[0]!.remote?.port} ${leg.paused ?? false}`);

describe('what is asked of a call at the same time', () => {
  it('is done one after the other: a pause during a re-INVITE knows what the re-INVITE changed', async () => {
    await start();
    await dialog.invite({ body: sdpOf([{}]) });
    media.onUpdate = () => 'hold';
    dialog.request('INVITE', { body: sdpOf([{ port: 31_000 }], 2) });
    await until('the re-INVITE’s leg.update', () => media.of('leg.update')[0]);
    await pause();
    media.release();
    expect((await dialog.final('INVITE')).status).toBe(200);
    await paused();
    expect(told()).toEqual(['31000 false', '31000 true']);
    expect(media.legs.values().next().value).toMatchObject({ paused: true });
  });

  it('a pause during the answer of an ACK keeps where that says that the stream comes from', async () => {
    await start();
    media.onUpdate = () => 'hold';
    await dialog.invite({ body: '', contentType: null }, sdpOf([{ formats: '8' }]));
    await until('the ACK’s leg.update', () => media.of('leg.update')[0]);
    await pause();
    media.release();
    await paused();
    expect(told()).toEqual(['30000 false', '30000 true']);
  });

  it('a further stream that a re-INVITE adds while the call is being paused is paused, too', async () => {
    await start();
    await dialog.invite({ body: sdpOf([{}]) });
    await pause();
    dialog.request('INVITE', { body: sdpOf([{}, {}], 2) });
    expect((await dialog.final('INVITE')).status).toBe(200);
    await paused();
    await until(
      'both paused',
      () => [...media.legs.values()].filter((leg) => leg.paused === true).length === 2,
    );
  });
});

describe('a media worker that is being replaced', () => {
  it('is waited for by a pause', async () => {
    await start();
    await dialog.invite({ body: sdpOf([{}]) });
    await callId();
    await media.die();
    await pause();
    await media.listen();
    await paused();
    expect([...media.legs.values()].map((leg) => leg.paused)).toEqual([true]);
  });

  it('is waited for by a further stream', async () => {
    await start();
    await dialog.invite({ body: sdpOf([{}]) });
    await callId();
    await media.die();
    dialog.request('INVITE', { body: sdpOf([{}, {}], 2) });
    await media.listen();
    expect((await dialog.final('INVITE')).body.match(/^m=audio [1-9]/gm)).toHaveLength(2);
  });
});

describe('a pause that a media worker does not take', () => {
  const twoLegs = async (): Promise<void> => {
    await start();
    await dialog.invite({ body: siprecBody(sdpOf([{}])), contentType: MULTIPART });
    await dialog.invite({ body: siprecBody(sdpOf([{}, {}], 2)), contentType: MULTIPART });
    await callId();
  };

  it('on one leg leaves no other leg paused, and the call as it was', async () => {
    await twoLegs();
    const second = `${await callId()}/1`;
    media.onUpdate = (leg) => (leg.legId === second && leg.paused === true ? 'fail' : 'update');
    await pause();
    await until('both legs as they were', () => {
      const last = media.of('leg.update').slice(-2);
      return media.of('leg.update').length >= 4 && last.every(({ leg }) => leg.paused !== true);
    });
    expect([...media.legs.values()].map((leg) => leg.paused ?? false)).toEqual([false, false]);
    // It is not on record either: what comes later is not paused.
    await dialog.invite({ body: sdpOf([{ port: 31_000 }, {}], 3) });
    expect(media.of('leg.update').at(-1)!.leg.paused ?? false).toBe(false);
    expect(rig.transcripts.of('call.updated').some(({ call }) => call.paused === true)).toBe(false);
  });

  it('because it does not answer is not said to be done', async () => {
    await twoLegs();
    media.onUpdate = () => 'hold';
    await pause();
    // The first was not heard in its time: what may come of it late is undone.
    await until(
      'the leg as it was',
      () => {
        const updates = media.of('leg.update');
        return updates.length >= 2 && updates.at(-1)!.leg.paused !== true;
      },
      20_000,
    );
    media.release();
    expect([...media.legs.values()].map((leg) => leg.paused ?? false)).toEqual([false, false]);
    expect((await dialog.bye()).status).toBe(200);
    await until('call.ended', () => rig.transcripts.of('call.ended')[0]);
    expect(rig.transcripts.of('call.updated').some(({ call }) => call.paused === true)).toBe(false);
  });
});
