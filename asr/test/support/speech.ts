import { ULAW_TO_LINEAR, linearToUlaw } from '@earshot/contracts';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether flite (Debian package flite) is there to speak. */
export const canSpeak = spawnSync('flite', ['--version']).error === undefined;

const spoken = new Map<string, Int16Array>();

/** A sentence spoken by one of flite's voices, at 8 kHz through mu-law, as a telephone has it. */
export function speak(voice: 'slt' | 'kal', text: string): Int16Array {
  const key = `${voice}:${text}`;
  const known = spoken.get(key);
  if (known !== undefined) return known;
  const folder = mkdtempSync(join(tmpdir(), 'es-flite-'));
  try {
    const path = join(folder, 'speech.wav');
    execFileSync('flite', ['-voice', voice, '-t', text, '-o', path]);
    const pcm = throughMulaw(toEightKilohertz(readFileSync(path)));
    spoken.set(key, pcm);
    return pcm;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Samples of a RIFF file with a plain header, at 8 or 16 kHz. */
export function toEightKilohertz(wav: Buffer): Int16Array {
  const rate = wav.readUInt32LE(24);
  const samples = new Int16Array(
    wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + wav.length - (wav.length % 2)),
  );
  if (rate === 8000) return samples;
  if (rate !== 16000) throw new Error(`flite spoke at ${rate} Hz`);
  // A windowed sinc, cut at 4 kHz.
  const half = 32;
  const taps = Array.from({ length: 2 * half + 1 }, (_, i) => {
    const x = (i - half) / 2;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
    return (sinc * (1 + Math.cos((Math.PI * (i - half)) / half))) / 4;
  });
  return Int16Array.from({ length: samples.length >> 1 }, (_, n) => {
    let sum = 0;
    for (let i = 0; i < taps.length; i++) sum += taps[i]! * (samples[2 * n + i - half] ?? 0);
    return Math.max(-32768, Math.min(32767, Math.round(sum)));
  });
}

const throughMulaw = (pcm: Int16Array): Int16Array =>
  pcm.map((sample) => ULAW_TO_LINEAR[linearToUlaw(sample)]!);

export const silence = (ms: number): Int16Array => new Int16Array(ms * 8);

export function concatenate(...parts: readonly Int16Array[]): Int16Array {
  const out = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const bytesOf = (pcm: Int16Array): Uint8Array =>
  new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);

/** Of our own making, with words that a contact centre hears. */
export const TAPE_SENTENCES: readonly string[] = [
  'i would like to check the balance on my account',
  'my account number is seven three nine two',
  'thank you for calling how can i help you',
  'can you please tell me the status of my order',
  'i was charged twenty five dollars on monday',
  'please hold while i look at your account',
  'i need to speak to a supervisor',
  'the total was forty two dollars and ten cents',
  'my phone number is five five five one two one two',
  'is there anything else that i can help you with',
];

/** Minutes of talk to play in a loop: sentences of two voices with pauses. Without flite, noise in bursts. */
export function speechTape(): Int16Array {
  if (!canSpeak) return noiseTape();
  const parts = TAPE_SENTENCES.flatMap((sentence, i) => [
    speak(i % 3 === 2 ? 'kal' : 'slt', sentence),
    silence(300 + ((i * 370) % 900)),
  ]);
  return concatenate(...parts);
}

/** One party of conversations: it speaks about half of the time, and listens for seconds. */
export function conversationTape(): Int16Array {
  if (!canSpeak) return noiseTape();
  const parts = TAPE_SENTENCES.flatMap((sentence, i) => [
    speak(i % 3 === 2 ? 'kal' : 'slt', sentence),
    silence(i % 3 === 1 ? 400 : 2000 + ((i * 1370) % 3900)),
  ]);
  return concatenate(...parts);
}

function noiseTape(): Int16Array {
  let seed = 1;
  let low = 0;
  return Int16Array.from({ length: 30 * 8000 }, (_, i) => {
    seed = (Math.imul(seed, 1103515245) + 12345) | 0;
    low += (seed >> 16) * 0.1 - low * 0.1;
    return i % 16_000 < 12_000 ? Math.round(low) : 0;
  });
}
