/** Callers that are not ours: SIPp with a SIPREC body and baresip with a plain call, against the whole of Earshot. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { CallView } from '@earshot/contracts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decodeMulaw } from '../../src/audio.ts';
import { loadDialogue } from '../../src/dialogue.ts';
import { EarshotProcess } from '../../src/earshot-process.ts';
import { wordErrors } from '../../src/wer.ts';
import { scriptOf, spokenBy, transcriptOf } from './support.ts';

const run = promisify(execFile);
const has = (program: string): boolean => existsSync(`/usr/bin/${program}`);
const sipTests = fileURLToPath(new URL('../../', import.meta.url));
const scenario = (name: string): string => join(sipTests, 'scenarios', name);

let earshot: EarshotProcess;
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'es-'));
  earshot = await EarshotProcess.start();
}, 180_000);
afterAll(async () => {
  await earshot?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

async function endedCalls(): Promise<CallView[]> {
  return (await earshot.get<{ items: CallView[] }>('/v1/calls?state=ended&limit=100')).items;
}

test.skipIf(!has('sipp')).each([
  ['udp', 'u1'],
  ['tcp', 't1'],
])(
  'SIPp places 20 SIPREC calls over %s, and each is answered, recorded as two channels and complete',
  async (transport, mode) => {
    const before = (await endedCalls()).length;
    const target = `${earshot.sip.host}:${earshot.sip.port}`;
    const argv = [
      target,
      '-sf',
      scenario('siprec.xml'),
      '-inf',
      scenario('callers.csv'),
      '-t',
      mode,
      '-i',
      '127.0.0.1',
      '-m',
      '20',
      '-r',
      '10',
      '-d',
      '2000',
      '-nostdin',
      '-timeout',
      '60',
    ];
    await run('/usr/bin/sipp', argv, { cwd: sipTests, timeout: 90_000 });
    await expect
      .poll(async () => (await endedCalls()).length - before, { timeout: 20_000, interval: 200 })
      .toBe(20);
    const calls = (await endedCalls()).slice(0, 20);
    await expect
      .poll(async () => (await endedCalls()).slice(0, 20).every((call) => call.complete), {
        timeout: 10_000,
        interval: 200,
      })
      .toBe(true);
    expect(calls.map((call) => call.sip.transport)).toEqual(calls.map(() => transport));
    expect(calls.map((call) => call.channels.length)).toEqual(calls.map(() => 2));
    expect(new Set(calls.map((call) => call.dialect))).toEqual(new Set(['siprec-rfc7866']));
  },
  120_000,
);

test.skipIf(!has('baresip'))(
  'a baresip call with a WAV becomes the words that are in it',
  async () => {
    const dialogue = loadDialogue('billing');
    const wav = join(folder, 'agent.wav');
    await writeFile(wav, wavOf(decodeMulaw(dialogue.parties.agent.mulaw)));
    const phone = await baresip(wav);
    try {
      await expect.poll(async () => (await liveCalls()).length, { timeout: 20_000 }).toBe(1);
      await new Promise((resolve) => setTimeout(resolve, dialogue.durationMs + 500));
    } finally {
      phone.stdin?.write('/quit\n');
      phone.kill('SIGTERM');
    }
    const plain = async (): Promise<CallView | undefined> =>
      (await endedCalls()).find((call) => call.dialect === 'plain');
    await expect.poll(plain, { timeout: 15_000, interval: 200 }).toMatchObject({ complete: true });
    const call = await plain();
    expect(call?.channels).toMatchObject([{ role: 'mixed', codec: 'PCMU' }]);
    const words = spokenBy(await transcriptOf(earshot, call?.id ?? ''), 0);
    // The voice is kal: 11 % by the model's README, and 5 points.
    expect(wordErrors(scriptOf(dialogue, 'agent'), words).rate, words).toBeLessThanOrEqual(0.16);
  },
  120_000,
);

async function liveCalls(): Promise<CallView[]> {
  return (await earshot.get<{ items: CallView[] }>('/v1/calls?state=live')).items;
}

/** A softphone that calls Earshot at once and plays the file. */
async function baresip(wav: string): Promise<ChildProcess> {
  const modules =
    firstExisting(['/usr/lib/baresip/modules', '/usr/lib/x86_64-linux-gnu/baresip/modules']) ?? '';
  const config = [
    `module_path ${modules}`,
    ...['stdio', 'g711', 'aufile', 'account', 'menu'].map((name) => `module ${name}.so`),
    'sip_listen 127.0.0.1:0',
    'sip_transports udp',
    'audio_player aufile,/dev/null',
    `audio_source aufile,${wav}`,
    'audio_srate 8000-8000',
    'audio_channels 1-1',
    'rtp_timeout 0',
  ];
  await writeFile(join(folder, 'config'), `${config.join('\n')}\n`);
  await writeFile(
    join(folder, 'accounts'),
    '<sip:softphone@127.0.0.1>;regint=0;audio_codecs=PCMU/8000/1;answermode=manual\n',
  );
  await writeFile(join(folder, 'contacts'), '');
  const target = `sip:recorder@${earshot.sip.host}:${earshot.sip.port}`;
  return spawn('/usr/bin/baresip', ['-f', folder, '-e', `/dial ${target}`], {
    cwd: folder,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

function firstExisting(paths: readonly string[]): string | undefined {
  return paths.find((path) => existsSync(path));
}

/** 16-bit PCM, mono, 8 kHz. */
function wavOf(samples: Int16Array): Buffer {
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  [16, 0x00010001, 8000, 16000, 0x00100002].forEach((value, i) => head.writeUInt32LE(value, 16 + 4 * i));
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength)]);
}
