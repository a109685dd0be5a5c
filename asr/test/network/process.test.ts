import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { EngineProcess } from '../support/engine-process.ts';
import { MediaEnd, WordsEnd, channelNamed, makeRunDir, until } from '../support/rig.ts';
import { FakeSpeechmatics } from './fake-servers.ts';
import { Script, Speaker } from './rig.ts';

const MAIN = fileURLToPath(new URL('../../main.ts', import.meta.url));
const KEY = 'a-key-that-nobody-may-see';

let close: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of close) await end();
  close = [];
});

test('an engine process with the URL of a speech server in ASR_MODEL and its key in ASR_KEY serves channels', async () => {
  const server = await FakeSpeechmatics.start();
  server.behaviour.key = KEY;
  close.push(() => server.close());
  const runDir = makeRunDir();
  close.push(() => rmSync(runDir, { recursive: true }));
  const words = await WordsEnd.listen(runDir);
  close.unshift(() => words.close());
  const engine = await EngineProcess.start(runDir, 0, {
    ASR_MODEL: server.address,
    ASR_KEY: KEY,
    ASR_ENGINES: '1',
  });
  close.unshift(() => engine.drain());
  const media = new MediaEnd(runDir);
  close.unshift(() => media.close());
  await until('the links', () => media.up && words.messages.length > 0);
  expect(words.messages[0]).toMatchObject({ model: `speechmatics 127.0.0.1:${server.port} en` });
  const script = new Script().speech([1, 2]).gap(1500).speech([3]);
  const speaker = new Speaker({ words, media }, channelNamed('process'), script);
  await speaker.finish(60_000);
  expect(speaker.text).toBe(script.text);
  expect((await engine.ping()).engine).toEqual({ engine: 0, headroom: 1, channels: 0 });
}, 90_000);

test('a refused key is an error in the log that names ASR_KEY, and the key is nowhere in it', async () => {
  const server = await FakeSpeechmatics.start();
  server.behaviour.key = 'another';
  close.push(() => server.close());
  const runDir = makeRunDir();
  close.push(() => rmSync(runDir, { recursive: true }));
  const engine = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      EARSHOT_RUN_DIR: runDir,
      LOG_LEVEL: 'trace',
      ASR_MODEL: server.address,
      ASR_KEY: KEY,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  engine.stdout.setEncoding('utf8').on('data', (text: string) => (log += text));
  engine.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  await until('the error', () => log.includes('ASR_KEY'), 60_000);
  const exited = once(engine, 'exit');
  engine.kill('SIGTERM');
  await exited;
  const line = log.split('\n').find((text) => text.includes('ASR_KEY'))!;
  expect(JSON.parse(line)).toMatchObject({ level: 'error', reason: 'key', detail: 'http 401' });
  expect(log).not.toContain(KEY);
}, 90_000);
