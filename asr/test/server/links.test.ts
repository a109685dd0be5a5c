import type { FromAsr } from '@earshot/contracts';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MediaEnd, type Rig, WordsEnd, channelNamed, startRig, until } from '../support/rig.ts';
import { silence } from '../support/speech.ts';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig({ maxChannels: 3 });
});
afterEach(() => rig.stop());

const noise = (samples: number): Int16Array =>
  Int16Array.from({ length: samples }, (_, i) => ((i * 7919) % 6007) - 3000);
const credits = (channel: string, attempt = 1): Extract<FromAsr, { type: 'credit' }>[] =>
  rig.media.messages.filter(
    (message): message is Extract<FromAsr, { type: 'credit' }> =>
      message.type === 'credit' && message.channel === channel && message.attempt === attempt,
  );

describe('the audio link', () => {
  test('says hello with the model and its chunk', () => {
    expect(rig.media.messages[0]).toEqual({
      type: 'hello',
      engine: 0,
      pid: process.pid,
      model: 'earshot-en-8k',
      chunkMs: 300,
      // The shipped model forgets at a gap: media begins there.
      clearsAtGap: true,
    });
  });

  test('gives three seconds of credit at once and goes on as audio is decided', async () => {
    const channel = channelNamed('credit');
    rig.media.open(channel, 4000);
    await until('credit', () => credits(channel)[0]);
    expect(credits(channel)[0]).toMatchObject({ uptoTick: 28_000, decidedTick: 4000 });
    await rig.media.audio(channel, 4000, noise(2400));
    await until('more credit', () => credits(channel).at(-1)?.decidedTick === 6400);
    expect(credits(channel).at(-1)!.uptoTick).toBe(30_400);
  });

  test('refuses a channel when all rows are taken, and takes one again when one is free', async () => {
    for (let i = 0; i < 4; i++) rig.media.open(channelNamed('full', i));
    await until('the refusal', () => rig.media.lost(channelNamed('full', 3))[0]);
    expect(rig.media.lost(channelNamed('full', 3))[0]!.code).toBe('ENGINE_FULL');
    const row = rig.service.engineRow();
    expect(row).toEqual({ engine: 0, headroom: 0, channels: 3, capacity: expect.any(Number) as number });
    expect(row.capacity).toBeGreaterThan(0);
    rig.media.send({ type: 'close', channel: channelNamed('full', 0), attempt: 1 });
    rig.media.open(channelNamed('full', 3), 0, 0, 2);
    await until('credit', () => credits(channelNamed('full', 3), 2)[0]);
    expect(rig.service.engineRow().channels).toBe(3);
  });

  test('drops messages of another attempt than the open one; a higher attempt replaces the channel', async () => {
    const channel = channelNamed('attempts');
    rig.media.open(channel, 0, 0, 2);
    rig.media.open(channel, 0, 0, 1);
    rig.media.send({ type: 'end', channel, attempt: 1, tick: 800 });
    rig.media.send({ type: 'close', channel, attempt: 1 });
    rig.media.open(channel, 0, 0, 3);
    rig.media.send({ type: 'end', channel, attempt: 2, tick: 900 });
    rig.media.send({ type: 'end', channel, attempt: 3, tick: 1000 });
    await rig.words.ended(channel);
    expect(rig.words.ofChannel(channel, 'ended').map(({ attempt, tick }) => [attempt, tick])).toEqual([
      [3, 1000],
    ]);
    expect(credits(channel, 1)).toEqual([]);
  });

  test('a media worker that goes away takes its channels with it, and no others', async () => {
    const other = new MediaEnd(rig.runDir);
    await until('the second worker', () => other.up);
    rig.media.open(channelNamed('stays'));
    other.open(channelNamed('goes'));
    await until('both channels', () => rig.service.engineRow().channels === 2);
    other.close();
    await until('one channel to go', () => rig.service.engineRow().channels === 1);
    await rig.media.audio(channelNamed('stays'), 0, noise(2400));
    await until('it to work', () => credits(channelNamed('stays')).at(-1)?.decidedTick === 2400);
  });

  test('a sender far beyond its credit loses the channel', async () => {
    const channel = channelNamed('flood');
    rig.media.open(channel);
    await until('credit', () => credits(channel)[0]);
    // In one message: more than is ever allowed to wait.
    rig.media.send({ type: 'audio', channel, attempt: 1, startTick: 0, arrivalUs: 0 }, noise(80_000));
    await until('the loss', () => rig.media.lost(channel)[0]);
    expect(rig.media.lost(channel)[0]!.code).toBe('CREDIT_EXCEEDED');
    expect(rig.service.engineRow().channels).toBe(0);
  });

  test('silence that is only told costs no step of the model, and is decided and settled', async () => {
    const channel = channelNamed('quiet');
    rig.media.open(channel);
    for (let tick = 800; tick <= 80_000; tick += 800)
      rig.media.send({ type: 'gap', channel, attempt: 1, toTick: tick });
    await until(
      'it to be settled',
      () => rig.words.ofChannel(channel, 'progress').at(-1)?.settledTick === 80_000,
    );
    await until('credit', () => credits(channel).at(-1)?.uptoTick === 104_000);
    rig.media.send({ type: 'end', channel, attempt: 1, tick: 90_000 });
    await rig.words.ended(channel);
    expect(rig.words.ofChannel(channel, 'progress').at(-1)).toMatchObject({
      decidedTick: 90_000,
      settledTick: 90_000,
    });
    expect(rig.words.ofChannel(channel, 'final')).toEqual([]);
    expect(await rig.metric('earshot_asr_chunks_total')).toBe(0);
  });

  test('heard silence is settled at a distance, and its end settles all of it', async () => {
    const channel = channelNamed('hush');
    rig.media.open(channel);
    const tick = await rig.media.audio(channel, 0, silence(1500));
    rig.media.send({ type: 'end', channel, attempt: 1, tick });
    await rig.words.ended(channel);
    for (const { decidedTick, settledTick } of rig.words.ofChannel(channel, 'progress')) {
      expect(settledTick).toBeLessThanOrEqual(decidedTick);
    }
    expect(rig.words.ofChannel(channel, 'progress').at(-1)).toMatchObject({
      decidedTick: tick,
      settledTick: tick,
    });
    expect(await rig.metric('earshot_asr_chunks_total')).toBe(5);
    expect(await rig.metric('earshot_asr_audio_seconds_total')).toBe(1.5);
  });
});

describe('the words link', () => {
  test('when it breaks, every channel is given back, opens are refused until it is there again', async () => {
    const channel = channelNamed('broken');
    rig.media.open(channel);
    await until('credit', () => credits(channel)[0]);
    await rig.words.close();
    await until('the loss', () => rig.media.lost(channel)[0]);
    expect(rig.media.lost(channel)[0]).toMatchObject({ attempt: 1, code: 'TRANSCRIPTS_LINK' });
    rig.media.open(channel, 0, 0, 2);
    await until('the refusal', () => rig.media.lost(channel)[1]);
    expect(rig.media.lost(channel)[1]).toMatchObject({ attempt: 2, code: 'TRANSCRIPTS_LINK' });
    expect(rig.service.engineRow().channels).toBe(0);

    const again = await WordsEnd.listen(rig.runDir);
    await until('the hello', () => again.messages[0]);
    rig.media.open(channel, 0, 0, 3);
    rig.media.send({ type: 'end', channel, attempt: 3, tick: 4000 });
    await again.ended(channel);
    await again.close();
  });
});

test('draining gives the channels back and leaves no socket behind', { timeout: 60_000 }, async () => {
  const own = await startRig();
  const channel = channelNamed('drained');
  own.media.open(channel);
  await until('the channel', () => own.service.engineRow().channels === 1);
  await own.service.drain();
  await until('the loss', () => own.media.lost(channel)[0]);
  expect(own.media.lost(channel)[0]!.code).toBe('ENGINE_DRAINING');
  own.media.close();
  await own.words.close();
  rmSync(own.runDir, { recursive: true });
});
