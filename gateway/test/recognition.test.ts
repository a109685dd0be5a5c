import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { VOCABULARY_LIMITS, VOCABULARY_NAME_PATTERN } from '@earshot/contracts';
import { type AskedRecognition, recognitionOf } from '../src/dialects/recognition.ts';
import { siprecBody, siprecInvite, sdpOf } from './support/bodies.ts';
import { headersOf } from './support/headers.ts';
import { Rig } from './support/rig.ts';
import { until } from './support/until.ts';

const asked = (vocabulary: string | null, maxDelay: string | null = null): AskedRecognition =>
  recognitionOf(
    headersOf({
      ...(vocabulary === null ? {} : { 'x-earshot-vocabulary': vocabulary }),
      ...(maxDelay === null ? {} : { 'x-earshot-max-delay': maxDelay }),
    }),
  );

describe('what an INVITE asks of the recogniser', () => {
  it('is nothing without the headers', () => {
    expect(asked(null)).toEqual({ recognition: null, ignored: [] });
  });

  it('is the lists and the delay that they name', () => {
    expect(asked('sales, Billing ,sales', ' 1500 ')).toEqual({
      recognition: { vocabulary: ['sales', 'billing'], maxDelayMs: 1500 },
      ignored: [],
    });
  });

  it('is no list at all, not even the default one, with an empty header', () => {
    expect(asked(' ')).toEqual({ recognition: { vocabulary: [] }, ignored: [] });
  });

  it('leaves out what is wrong, and says so', () => {
    expect(asked('sales, ../etc', '1.5')).toEqual({
      recognition: { vocabulary: ['sales'] },
      ignored: [
        { header: 'X-Earshot-Vocabulary', fault: 'not the name of a list' },
        { header: 'X-Earshot-Max-Delay', fault: 'not milliseconds from 300 to 20000' },
      ],
    });
    expect(asked('!!!').recognition).toBeNull();
    for (const delay of ['299', '20001', '-5', '', '1e3', '999999999999']) {
      expect(asked(null, delay).recognition, delay).toBeNull();
      expect(asked(null, delay).ignored).toHaveLength(1);
    }
  });

  it('is within the limits, whatever the headers say', () => {
    const name = new RegExp(VOCABULARY_NAME_PATTERN);
    const lists = fc.oneof(
      fc.string(),
      fc.array(fc.stringMatching(/^[a-zA-Z0-9_-]{1,5}$/), { maxLength: 40 }).map(String),
    );
    fc.assert(
      fc.property(lists, fc.string(), (vocabulary, delay) => {
        const { recognition } = asked(vocabulary, delay);
        expect(recognition?.vocabulary?.length ?? 0).toBeLessThanOrEqual(VOCABULARY_LIMITS.listsOfCall);
        for (const list of recognition?.vocabulary ?? []) expect(list).toMatch(name);
        if (recognition?.maxDelayMs !== undefined) expect(recognition.maxDelayMs).toBeGreaterThanOrEqual(300);
      }),
    );
  });
});

describe('a call that asks for vocabulary lists', () => {
  let rig: Rig;
  afterEach(() => rig.stop());
  const recognition = { vocabulary: ['sales'], maxDelayMs: 800 };
  const withHeaders = {
    ...siprecInvite,
    headers: [...siprecInvite.headers, 'X-Earshot-Vocabulary: sales, b@d', 'X-Earshot-Max-Delay: 800'],
  };

  it('keeps what it asked for through re-INVITEs, added streams and a new gateway', async () => {
    rig = await Rig.start();
    const media = rig.media[0]!;
    const client = await rig.client();
    const dialog = client.dialog();
    expect((await dialog.invite(withHeaders)).status).toBe(200);
    expect(media.of('leg.open')[0]!.leg.recognition).toEqual(recognition);
    // Neither says it again.
    const held = { ...siprecInvite, body: siprecBody(sdpOf([{ direction: 'inactive' }, {}], 2)) };
    expect((await dialog.invite(held)).status).toBe(200);
    expect(media.of('leg.update')[0]!.leg.recognition).toEqual(recognition);
    const more = { ...siprecInvite, body: siprecBody(sdpOf([{}, {}, {}], 3)) };
    expect((await dialog.invite(more)).status).toBe(200);
    expect(media.of('leg.open')[1]!.leg.recognition).toEqual(recognition);
    rig.gateway.stop();
    await rig.startGateway();
    const sync = await until('legs of the new gateway', () => media.of('leg.sync').at(-1));
    expect(sync.legs.map((leg) => leg.recognition)).toEqual([recognition, recognition]);
  });

  it('has none when its headers are of no use, and is taken all the same', async () => {
    rig = await Rig.start();
    const dialog = (await rig.client()).dialog();
    const answer = await dialog.invite({
      ...siprecInvite,
      headers: [...siprecInvite.headers, 'X-Earshot-Max-Delay: soon', 'X-Earshot-Vocabulary: ,,'],
    });
    expect(answer.status).toBe(200);
    const { leg } = rig.media[0]!.of('leg.open')[0]!;
    expect(leg.recognition).toEqual({ vocabulary: [] });
  });
});
