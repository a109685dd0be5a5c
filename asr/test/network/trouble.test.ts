import { describe, expect, test } from 'vitest';
import { channelNamed, until } from '../support/rig.ts';
import { expectRulesKept } from '../support/stream-rules.ts';
import { type FakeServer, FakeSpeechmatics, FakeVosk } from './fake-servers.ts';
import { type RemoteRig, Script, Speaker, eventually, startRemoteRig } from './rig.ts';

/** To be called with what is to be done after the test. They wait for clocks, so they run beside one another. */
type After = (end: () => Promise<void>) => void;

async function rigOn(
  after: After,
  address: string,
  options: Parameters<typeof startRemoteRig>[1] = {},
): Promise<RemoteRig> {
  const rig = await startRemoteRig(address, options);
  after(() => rig.stop());
  return rig;
}

const kinds = [
  ['a Vosk server', (port?: number): Promise<FakeVosk | FakeSpeechmatics> => FakeVosk.start(port)],
  ['Speechmatics', (port?: number): Promise<FakeVosk | FakeSpeechmatics> => FakeSpeechmatics.start(port)],
] as const;

const plain = (speaker: Speaker): unknown =>
  speaker.finals.map(({ text, startTick, endTick }) => ({ text, startTick, endTick }));

async function serving(server: FakeServer, rig: RemoteRig): Promise<void> {
  await until(
    'the server to be found',
    () => rig.service.engineRow().headroom > 0 && server.sockets.size === 0,
  );
}

describe.concurrent.each(kinds)('%s', (_name, start) => {
  async function served(after: After) {
    const server = await start();
    after(() => server.close());
    const rig = await rigOn(after, server.address);
    await serving(server, rig);
    return { server, rig };
  }

  test('breaks all connections again and again, in words and in pauses: no word is lost, doubled or moved', async ({
    onTestFinished: after,
  }) => {
    const { server, rig } = await served(after);
    const script = new Script()
      .speech([1, 2, 3, 4, 5, 6], 500, 700)
      .gap(1000)
      .speech([7, 8], 500, 700)
      .gap(3000);
    const speaker = new Speaker(rig, channelNamed('broken'), script);
    // In the second word, in the pause after the third, in the sixth, in the eighth.
    for (const [tick, heard] of [
      [13_000, 'w2'],
      [29_000, 'w3'],
      [52_000, 'w6'],
      [85_600, 'w8'],
    ] as const) {
      await speaker.play(tick);
      await until(`${heard} to be heard`, () =>
        rig.words.messages.some(
          (message) =>
            (message.type === 'partial' || message.type === 'final') &&
            message.attempt === speaker.attempt &&
            message.words.some(({ text }) => text === heard),
        ),
      );
      server.breakAll();
      const { attempt } = speaker;
      await until('the next attempt', () => {
        speaker.look();
        return speaker.attempt > attempt;
      });
    }
    await speaker.finish();
    expect(plain(speaker)).toEqual(script.words);
    expect(speaker.attempt).toBe(5);
    expect(new Set(speaker.lost)).toEqual(new Set(['REMOTE_LINK']));
    expect(await rig.metric('earshot_asr_remote_failures_total', 'link')).toBe(4);
  });

  test('breaks a connection that has nothing in hand: the channel stays and the next words have another', async ({
    onTestFinished: after,
  }) => {
    const { server, rig } = await served(after);
    const script = new Script().speech([1]).gap(6000).speech([2]);
    const speaker = new Speaker(rig, channelNamed('idle'), script);
    await speaker.play(script.audio[1]!.startTick);
    await until('the gap to be settled', () => {
      speaker.look();
      return speaker.settledTick > script.audio[0]!.pcm.length;
    });
    server.breakAll();
    await eventually(
      'it to be noticed',
      async () => (await rig.metric('earshot_asr_remote_connections')) === 0,
    );
    await speaker.finish();
    expect(plain(speaker)).toEqual(script.words);
    expect(speaker.lost).toEqual([]);
  });

  test('is down at start: the engine has no headroom, channels wait with their lag measured, and go on when it comes', async ({
    onTestFinished: after,
  }) => {
    const first = await start();
    const { port, address } = first;
    await first.close();
    const rig = await rigOn(after, address);
    const script = new Script().speech([1, 2]).gap(20_000).speech([3]);
    const speaker = new Speaker(rig, channelNamed('waits'), script);
    await speaker.play(10_000);
    expect(rig.service.engineRow()).toMatchObject({ headroom: 0, channels: 1 });
    const credits = (): number => rig.media.messages.filter(({ type }) => type === 'credit').length;
    const before = credits();
    await until('a sign of life for the channel', () => credits() > before);
    await eventually(
      'the lag',
      async () => (await rig.metric('earshot_asr_channel_lag_seconds', '1')) === 10_000 / 8000,
    );
    const server = await start(port);
    after(() => server.close());
    await speaker.finish(60_000);
    expect(plain(speaker)).toEqual(script.words);
    expect(speaker.lost).toEqual([]);
    expect(rig.service.engineRow().headroom).toBe(1);
  }, 90_000);

  test('refuses the key: it is asked once, not again and again, and the channels wait', async ({
    onTestFinished: after,
  }) => {
    const server = await start();
    server.behaviour.key = 'the right one';
    after(() => server.close());
    const rig = await rigOn(after, server.address, { key: 'the wrong one' });
    await until('the refusal', () => server.requests.length > 0);
    const speakers = Array.from(
      { length: 20 },
      (_, i) => new Speaker(rig, channelNamed(`refused-${i}`), new Script().speech([i + 1])),
    );
    await Promise.all(speakers.map((speaker) => speaker.play(8000)));
    const credits = (): number => rig.media.messages.filter(({ type }) => type === 'credit').length;
    const before = credits();
    await until('a sign of life for all channels', () => credits() >= before + 20);
    expect(server.requests.length).toBe(1);
    expect(rig.service.engineRow().headroom).toBe(0);
    expect(await rig.metric('earshot_asr_remote_failures_total', 'key')).toBe(1);
    expect(server.requests[0]!.url).not.toContain('wrong');
  });

  test('takes the key from the header', async ({ onTestFinished: after }) => {
    const server = await start();
    server.behaviour.key = 'the right one';
    after(() => server.close());
    const rig = await rigOn(after, server.address, { key: 'the right one' });
    const speaker = new Speaker(rig, channelNamed('keyed'), new Script().speech([5]));
    await speaker.finish();
    expect(speaker.text).toBe('w5');
  });

  test('fails for a while: one attempt at a time, then all channels are served', async ({
    onTestFinished: after,
  }) => {
    const { server, rig } = await served(after);
    server.behaviour.status = 500;
    const requests = server.requests.length;
    const speakers = Array.from(
      { length: 30 },
      (_, i) => new Speaker(rig, channelNamed(`busy-${i}`), new Script().speech([i + 1])),
    );
    const plays = Promise.all(speakers.map((speaker) => speaker.finish(60_000)));
    await eventually('those under way to have failed', async () => {
      const failures = await rig.metric('earshot_asr_remote_failures_total');
      return failures > 0 && failures === server.requests.length - requests;
    });
    const refused = server.requests.length;
    expect(refused - requests).toBeLessThanOrEqual(32);
    // From then on one at a time, half a second, a second apart: thirty channels are not thirty attempts.
    await until('two more attempts', () => server.requests.length >= refused + 2);
    expect(server.requests.length).toBeLessThanOrEqual(refused + 3);
    server.behaviour.status = null;
    await plays;
    for (const { text, script } of speakers) expect(text).toBe(script.text);
  }, 90_000);

  test('stops answering: the channel is given back, and nothing is lost', async ({
    onTestFinished: after,
  }) => {
    const server = await start();
    after(() => server.close());
    const rig = await rigOn(after, server.address, { times: { stallAfterMs: 1500 } });
    await serving(server, rig);
    server.audioSamples = 0;
    const script = new Script().speech([1, 2, 3], 500, 700).gap(1000);
    const speaker = new Speaker(rig, channelNamed('stalled'), script);
    await speaker.play(12_000);
    await until('the audio', () => server.audioSamples > 8000);
    server.behaviour.silent = true;
    const playing = speaker.play(20_000, 60_000);
    await until('the channel to be given back', () => rig.media.lost(speaker.channel)[0], 30_000);
    server.behaviour.silent = false;
    await playing;
    await speaker.finish(60_000);
    expect(plain(speaker)).toEqual(script.words);
    expect(speaker.lost[0]).toBe('REMOTE_LINK');
  }, 90_000);

  test('says a message of two megabytes: the connection is given up, the words are not', async ({
    onTestFinished: after,
  }) => {
    const { server, rig } = await served(after);
    server.audioSamples = 0;
    const script = new Script().speech([1, 2], 500, 700).gap(1000);
    const speaker = new Speaker(rig, channelNamed('huge'), script);
    await speaker.play(8000);
    await until('the audio', () => server.audioSamples > 0);
    for (const client of server.sockets) client.send(`"${'x'.repeat(2_000_000)}"`);
    await until('the channel to be given back', () => rig.media.lost(speaker.channel)[0]);
    await speaker.finish();
    expect(plain(speaker)).toEqual(script.words);
  });
});

test.concurrent(
  'Vosk between whose answers nonsense comes: it is counted and the words are as they are',
  async ({ onTestFinished: after }) => {
    const server = await FakeVosk.start();
    after(() => server.close());
    const rig = await rigOn(after, server.address);
    await serving(server, rig);
    server.noise = ['', '{', '[1,2]', 'null', '{"hello": 1}', '{"partial": 7}', '{"text": null}', '"text"'];
    const script = new Script().speech([1, 2]).gap(3000).speech([3]);
    const speaker = new Speaker(rig, channelNamed('nonsense'), script);
    await speaker.finish();
    expect(plain(speaker)).toEqual(script.words);
    expect(speaker.lost).toEqual([]);
    expect(await rig.metric('earshot_asr_remote_ignored_total', 'json')).toBeGreaterThan(0);
    expect(await rig.metric('earshot_asr_remote_ignored_total', 'type')).toBeGreaterThan(0);
    expectRulesKept(rig.words.messages, () => 0);
  },
);

test.concurrent.for(['not_authorised', 'invalid_model'])(
  'Speechmatics that ends each session with %s is not asked again for a minute',
  async (type, { onTestFinished: after }) => {
    const server = await FakeSpeechmatics.start();
    server.error = type;
    after(() => server.close());
    const rig = await rigOn(after, server.address);
    const speaker = new Speaker(rig, channelNamed('refused'), new Script().speech([1]));
    await speaker.play(8000);
    const credits = (): number => rig.media.messages.filter(({ type: kind }) => kind === 'credit').length;
    const before = credits();
    await until('signs of life', () => credits() >= before + 1);
    expect(server.requests.length).toBe(1);
    expect(rig.media.lost(speaker.channel)).toEqual([]);
    expect(
      await rig.metric('earshot_asr_remote_failures_total', type === 'not_authorised' ? 'key' : 'settings'),
    ).toBe(1);
  },
);

test.concurrent(
  'Speechmatics over its quota: those it has go on, the others wait and are not given up',
  async ({ onTestFinished: after }) => {
    const server = await FakeSpeechmatics.start();
    server.behaviour.quota = 2;
    after(() => server.close());
    const rig = await rigOn(after, server.address);
    await serving(server, rig);
    const scripts = [1, 2, 3].map((value) => new Script().speech([value], 1500).gap(1000));
    const speakers = scripts.map((script, i) => new Speaker(rig, channelNamed(`quota-${i}`), script));
    await Promise.all(speakers.map((speaker) => speaker.play(8000)));
    await eventually(
      'the refusal',
      async () => (await rig.metric('earshot_asr_remote_failures_total', 'full')) > 0,
    );
    expect(rig.service.engineRow().headroom).toBe(0);
    await Promise.all(speakers.map((speaker) => speaker.finish(60_000)));
    for (const speaker of speakers) expect(plain(speaker)).toEqual(speaker.script.words);
  },
  90_000,
);
