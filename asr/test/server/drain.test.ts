import type { ChannelId } from '@earshot/contracts';
import { createLog } from '@earshot/platform';
import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { ChannelHost } from '../../src/engine/channel-host.ts';
import type { ChannelOpening } from '../../src/engine/channel.ts';
import type { ChannelOwner, LostCode } from '../../src/engine/sink.ts';
import { serveHost, type ServedHost } from '../../src/server/serve-host.ts';
import { startBareEngine } from '../support/bare-engine.ts';
import { MediaEnd, WordsEnd, channelNamed, makeRunDir, openingOf, until } from '../support/rig.ts';
import { bytesOf, canSpeak, silence, speak } from '../support/speech.ts';

/** Has channels and gives them back. */
class HoldingHost implements ChannelHost {
  readonly headroom = 1;
  readonly givenBack: number[] = [];
  readonly #held: { readonly opening: ChannelOpening; readonly owner: ChannelOwner }[] = [];
  get channelCount(): number {
    return this.#held.length;
  }
  open(opening: ChannelOpening, owner: ChannelOwner): void {
    this.#held.push({ opening, owner });
  }
  lose(count: number, code: LostCode): void {
    this.givenBack.push(count);
    for (const { opening, owner } of this.#held.splice(0, count)) {
      owner.lost(opening.channel, opening.attempt, code);
    }
  }
  loseAll(code: LostCode): void {
    this.lose(this.#held.length, code);
  }
  finalise(): void {}
  audio(): void {}
  gap(): void {}
  end(): void {}
  close(): void {}
  closeOwner(): void {}
  resume(): void {}
  tick(): void {}
  stop(): void {}
}

async function served(
  capacity: number | null,
): Promise<{ host: HoldingHost; engine: ServedHost; media: MediaEnd; stop: () => Promise<void> }> {
  const runDir = makeRunDir();
  const words = await WordsEnd.listen(runDir);
  const host = new HoldingHost();
  const engine = await serveHost({
    runDir,
    instance: 0,
    model: 'none',
    chunkMs: 100,
    ...(capacity === null ? {} : { capacity }),
    log: createLog('asr-test', 'silent'),
    makeHost: () => host,
  });
  const media = new MediaEnd(runDir);
  await until('the links', () => media.up && words.connections > 0);
  const stop = async (): Promise<void> => {
    media.close();
    await words.close();
    rmSync(runDir, { recursive: true });
  };
  for (let i = 0; i < 60; i++) {
    // Refused until the vocabulary lists are there.
    await until('an opening', () => {
      media.open(channelNamed(`held-${i}`));
      return host.channelCount > i;
    });
  }
  return { host, engine, media, stop };
}

test('an engine that ends gives its channels back by and by, as another can take them, and takes none any more', async () => {
  const { host, engine, media, stop } = await served(1000);
  const held = host.channelCount;
  const ended = engine.drain();
  expect(engine.draining).toBe(true);
  const late = channelNamed('late');
  media.open(late);
  await until('the refusal', () => media.lost(late)[0]?.code === 'ENGINE_DRAINING');
  await ended;
  expect(host.channelCount).toBe(0);
  // Six in each tenth of a second.
  expect(Math.max(...host.givenBack)).toBe(6);
  expect(host.givenBack.reduce((sum, count) => sum + count, 0)).toBe(held);
  await stop();
});

test('one that does not know what it can carry gives them back at once', async () => {
  const { host, engine, stop } = await served(null);
  const held = host.channelCount;
  await engine.drain();
  expect(host.givenBack).toEqual([held]);
  await stop();
});

test.skipIf(!canSpeak)(
  'those go first of which another engine has least to hear again (needs flite)',
  async () => {
    const bare = await startBareEngine(4);
    const { engine, heard } = bare;
    const speaking = channelNamed('speaking');
    const quiet = channelNamed('quiet');
    const send = (channel: ChannelId, pcm: Int16Array): void => {
      engine.open(openingOf(channel), heard);
      engine.audio(channel, 1, 0, 0, bytesOf(pcm));
    };
    send(speaking, speak('slt', 'i would like to check the balance on my account').subarray(0, 16_000));
    send(quiet, silence(2000));
    await until('both heard', () =>
      [speaking, quiet].every((channel) => (heard.decidedTick.get(channel) ?? 0) >= 14_400),
    );
    engine.lose(1, 'ENGINE_DRAINING');
    expect([...heard.lostCodes.keys()]).toEqual([quiet]);
    engine.lose(1, 'ENGINE_DRAINING');
    expect([...heard.lostCodes.keys()]).toEqual([quiet, speaking]);
    await bare.stop();
  },
);
