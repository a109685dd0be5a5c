import { createRegistry } from '@earshot/platform';
import { expect, test } from 'vitest';
import type { Engine, StepReport } from '../../src/engine/engine.ts';
import { registerMetrics } from '../../src/server/metrics.ts';
import { channelNamed, startRig, until } from '../support/rig.ts';
import { canSpeak, concatenate, silence, speak } from '../support/speech.ts';

test('how far channels are behind, who waits and what was shown is told when it is asked for', async () => {
  const registry = createRegistry('asr-test');
  const engine = {
    headroom: 0.25,
    channelCount: 4,
    waiting: { live: 3, catchUp: 2 },
    lagSeconds: () => [0.1, 0.4, 0.2, 0.3],
    partialWords: { shown: 12, changed: 3 },
    ignoredPhrases: 5,
  } as unknown as Engine;
  const onStep = registerMetrics(registry, () => engine, 0.3, [1, 4]);
  const report: StepReport = { rows: 3, size: 4, seconds: 0.06, samples: 7000, latenciesMs: [10, 20, 900] };
  onStep(report);
  onStep(report);
  const ours = async (): Promise<string[]> =>
    (await registry.metrics()).split('\n').filter((line) => line.startsWith('earshot_asr_'));
  const before = await ours();
  const lines = before.map((line) => line.replace('process="asr-test"', '').replace(/,?}/, '}'));
  const value = (name: string): number => {
    const line = lines.find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{} `));
    return Number(line?.slice(line.lastIndexOf(' ')));
  };
  expect(value('earshot_asr_channel_lag_seconds{quantile="0.5"}')).toBe(0.3);
  expect(value('earshot_asr_channel_lag_seconds{quantile="1"}')).toBe(0.4);
  expect(value('earshot_asr_queued_audio_seconds')).toBeCloseTo(1);
  expect(value('earshot_asr_waiting_channels{priority="live"}')).toBe(3);
  expect(value('earshot_asr_waiting_channels{priority="catch_up"}')).toBe(2);
  expect(value('earshot_asr_headroom')).toBe(0.25);
  expect(value('earshot_asr_step_chunk_ratio')).toBeCloseTo(0.2);
  expect(value('earshot_asr_chunk_latency_seconds_count')).toBe(6);
  expect(value('earshot_asr_chunk_latency_seconds_sum')).toBeCloseTo(1.86);
  expect(value('earshot_asr_partial_words_shown_total')).toBe(12);
  expect(value('earshot_asr_partial_words_changed_total')).toBe(3);
  expect(value('earshot_asr_phrases_ignored_total')).toBe(5);
  // Asked again, the totals are the same.
  expect(await ours()).toEqual(before);
});

test.skipIf(!canSpeak)(
  'an engine counts lag, latency and partials of its channels (needs flite)',
  { timeout: 120_000 },
  async () => {
    const rig = await startRig();
    const channel = channelNamed('measured');
    rig.media.open(channel);
    await until('the channel', () => rig.service.engineRow().channels === 1);
    rig.media.send({ type: 'audio', channel, attempt: 1, startTick: 0, arrivalUs: 0 }, new Int16Array(2000));
    await until('lag', () => rig.service.engineRow().channels === 1);
    const values = async (name: string): Promise<number[]> => rig.metricValues(name);
    let lag: number[] = [];
    // Less than a chunk waits for its rest: it counts as lag as soon as it was read.
    for (let i = 0; i < 1000 && lag.at(-1) !== 0.25; i++) {
      lag = await values('earshot_asr_channel_lag_seconds');
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(lag).toEqual([0.25, 0.25, 0.25]);
    const pcm = concatenate(speak('slt', 'i would like to check the balance on my account'), silence(500));
    const tick = await rig.media.audio(channel, 2000, pcm);
    rig.media.send({ type: 'end', channel, attempt: 1, tick });
    await rig.words.ended(channel);
    expect(await values('earshot_asr_channel_lag_seconds')).toEqual([0, 0, 0]);
    expect(await values('earshot_asr_waiting_channels')).toEqual([0, 0]);
    // Of a channel that is gone, too.
    const [shown] = await values('earshot_asr_partial_words_shown_total');
    expect(shown).toBeGreaterThan(0);
    await rig.stop();
  },
);
