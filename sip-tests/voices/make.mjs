// Makes the demo caller's voices: for each dialogue NAME.agent.ul and NAME.customer.ul (headerless mu-law,
// 8 kHz, mono, both of one length) and NAME.json (who says what, when). Needs Debian's `flite`, `sox` and,
// for the voice `hts`, `festival` with `festvox-us-slt-hts`. The result is committed: this is run by hand,
// `node sip-tests/voices/make.mjs [NAME...]`, when a dialogue changes. The same text gives the same bytes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../src/random.ts';
import { dialogues } from './dialogues.mjs';

const SAMPLES_PER_MS = 8;
const FRAME_SAMPLES = 160;
const PEAK = 16_000; // -6 dBFS: a loud telephone talker
const LEAD_IN_MS = 400;
const LEAD_OUT_MS = 600;
const BREATH_MS = 280;
/** The steps of the mu-law codec around zero are 8 wide: this makes a few of them toggle, as a line does. */
const COMFORT_NOISE_PEAK = 10;

/** One phrase as 16-bit PCM at 8 kHz, without the silence around it. */
function speak(voice, phrase, folder) {
  // A letter by itself is a name of a letter, unless it is the article or the pronoun.
  const text = phrase.replace(/\b([b-hj-z])\b/g, (letter) => letter.toUpperCase());
  const made = join(folder, 'made.wav');
  const raw = join(folder, 'made.raw');
  if (voice === 'hts') {
    const script = join(folder, 'say.scm');
    writeFileSync(
      script,
      `(voice_cmu_us_slt_arctic_hts)\n(utt.save.wave (utt.synth (Utterance Text "${text}")) "${made}" 'riff)\n`,
    );
    execFileSync('festival', ['-b', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  } else {
    execFileSync('flite', ['-voice', voice, '-t', text, '-o', made]);
  }
  execFileSync('sox', [
    '-R',
    made,
    '-r',
    '8000',
    '-c',
    '1',
    '-b',
    '16',
    '-e',
    'signed-integer',
    raw,
    'gain',
    '-n',
    '-6',
  ]);
  const bytes = readFileSync(raw);
  const pcm = new Int16Array(bytes.length / 2);
  for (let i = 0; i < pcm.length; i += 1) pcm[i] = bytes.readInt16LE(i * 2);
  const peak = pcm.reduce((most, sample) => Math.max(most, Math.abs(sample)), 1);
  const speech = (sample) => Math.abs(sample) > peak / 100;
  const first = Math.max(0, pcm.findIndex(speech) - 20 * SAMPLES_PER_MS);
  const last = Math.min(pcm.length, pcm.findLastIndex(speech) + 40 * SAMPLES_PER_MS);
  return pcm.subarray(first, last).map((sample) => Math.round((sample * PEAK) / peak));
}

/** ITU-T G.711 mu-law. The runtime has its own in ../src/audio.ts; a test holds the two against each other. */
function encodeMulaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(32_635, Math.abs(sample)) + 132;
  const exponent = 31 - Math.clz32(magnitude) - 7;
  return ~(sign | (exponent << 4) | ((magnitude >> (exponent + 3)) & 0x0f)) & 0xff;
}

function make(dialogue, seed, folder) {
  const random = seededRandom(seed);
  const turns = { agent: [], customer: [] };
  const pieces = []; // { party, at, pcm }
  let at = LEAD_IN_MS * SAMPLES_PER_MS;
  for (const turn of dialogue.turns) {
    const start = at;
    turn.phrases.forEach((phrase, i) => {
      if (i > 0) at += BREATH_MS * SAMPLES_PER_MS;
      const pcm = speak(dialogue[turn.party].voice, phrase, folder);
      pieces.push({ party: turn.party, at, pcm });
      at += pcm.length;
    });
    turns[turn.party].push({
      startMs: Math.round(start / SAMPLES_PER_MS),
      endMs: Math.round(at / SAMPLES_PER_MS),
      text: turn.phrases.join(' '),
    });
    at += Math.round((300 + 300 * random()) * SAMPLES_PER_MS);
  }
  const samples = Math.ceil((at + LEAD_OUT_MS * SAMPLES_PER_MS) / FRAME_SAMPLES) * FRAME_SAMPLES;
  for (const party of ['agent', 'customer']) {
    const pcm = new Int16Array(samples);
    for (let i = 0; i < samples; i += 1) pcm[i] = Math.round((random() * 2 - 1) * COMFORT_NOISE_PEAK);
    for (const piece of pieces) if (piece.party === party) pcm.set(piece.pcm, piece.at);
    writeFileSync(
      new URL(`${dialogue.name}.${party}.ul`, import.meta.url),
      Uint8Array.from(pcm, encodeMulaw),
    );
  }
  const durationMs = samples / SAMPLES_PER_MS;
  const described = {
    name: dialogue.name,
    parties: {
      agent: { ...dialogue.agent, turns: turns.agent },
      customer: { ...dialogue.customer, turns: turns.customer },
    },
    durationMs,
  };
  writeFileSync(new URL(`${dialogue.name}.json`, import.meta.url), `${JSON.stringify(described, null, 2)}\n`);
  console.log(`${dialogue.name}: ${(durationMs / 1000).toFixed(1)} s`);
}

const wanted = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'voices-'));
try {
  dialogues.forEach((dialogue, i) => {
    if (wanted.length === 0 || wanted.includes(dialogue.name)) make(dialogue, i + 1, folder);
  });
} finally {
  rmSync(folder, { recursive: true });
}
