import type { FromChild, ToChild } from '@earshot/contracts';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MediaEnd, WordsEnd, channelNamed, makeRunDir, until } from './support/rig.ts';
import { canSpeak, speak } from './support/speech.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

class Child {
  readonly messages: FromChild[] = [];
  readonly process: ChildProcess;
  constructor(env: Record<string, string>) {
    this.process = fork(MAIN, {
      env: { ...process.env, LOG_LEVEL: 'error', EARSHOT_INSTANCE: '3', ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      execArgv: [],
    });
    this.process.on('message', (message) => this.messages.push(message as FromChild));
    this.send({ type: 'lent.all' });
  }
  send(message: ToChild): void {
    this.process.send(message);
  }
  async said<T extends FromChild['type']>(type: T): Promise<Extract<FromChild, { type: T }>> {
    return until(
      `the child to say ${type}`,
      () =>
        this.messages.find((message): message is Extract<FromChild, { type: T }> => message.type === type),
      30_000,
    );
  }
}

let runDir: string;
beforeEach(() => {
  runDir = makeRunDir();
});
afterEach(() => rmSync(runDir, { recursive: true, force: true }));

test.skipIf(!canSpeak)(
  'the engine as a process recognises, answers pings with its headroom, and drains (needs flite)',
  async () => {
    const words = await WordsEnd.listen(runDir);
    const child = new Child({ EARSHOT_RUN_DIR: runDir });
    expect((await child.said('ready')).info).toMatchObject({ model: 'earshot-en-8k' });
    const media = new MediaEnd(runDir, 3);
    await until('the links', () => media.up && words.messages.length > 0);
    const channel = channelNamed('process');
    media.open(channel);
    child.send({ type: 'ping', id: 1 });
    const pong = await child.said('pong');
    expect(pong.engine).toMatchObject({ engine: 3 });
    expect(pong.engine!.headroom).toBeGreaterThan(0.5);
    const names = pong.metrics.map((metric) => (metric as { name: string }).name);
    expect(names).toEqual(
      expect.arrayContaining([
        'earshot_asr_batch_size',
        'earshot_asr_step_seconds',
        'earshot_asr_step_chunk_ratio',
        'earshot_asr_headroom',
        'earshot_asr_channels',
        'earshot_asr_chunks_total',
        'earshot_asr_audio_seconds_total',
      ]),
    );
    const tick = await media.audio(channel, 0, speak('slt', 'i would like to check the status of my order'));
    media.send({ type: 'end', channel, attempt: 1, tick });
    await words.ended(channel);
    expect(words.text(channel)).toBe('i would like to check the status of my order');
    expect(words.messages[0]).toEqual({
      type: 'hello',
      engine: 3,
      pid: child.process.pid,
      model: 'earshot-en-8k',
    });
    const exited = once(child.process, 'exit');
    child.send({ type: 'drain' });
    expect((await exited)[0]).toBe(0);
    media.close();
    await words.close();
  },
  60_000,
);

test('the engine as a process refuses a folder without a model and says what to do', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'es-empty-'));
  const child = new Child({ EARSHOT_RUN_DIR: runDir, ASR_MODEL: empty });
  const exited = once(child.process, 'exit');
  const fatal = await child.said('fatal');
  expect(fatal).toMatchObject({
    code: 'MODEL_MISSING',
    message: `model.json is not in the model's folder, ${empty}`,
  });
  expect(fatal.action).toContain('ASR_MODEL');
  expect((await exited)[0]).toBe(1);
  rmSync(empty, { recursive: true });
});
