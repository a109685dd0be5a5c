import { fork } from 'node:child_process';
import { Dialer, listen } from '@earshot/platform';
import { monoUs, type FromAsr, type FromEngine, type ToAsr, type ToEngine } from '@earshot/contracts';
import { mkdtempSync, readFileSync } from 'node:fs';
import { concatenate, silence, speak, bytesOf } from './support/speech.ts';
const N = Number(process.argv[2]); const seconds = Number(process.argv[3] ?? 20); const gated = process.argv[4] === 'gated';
const run = mkdtempSync('/tmp/es-load-');
const S = ['i would like to check the balance on my account','my account number is seven three nine two','thank you for calling how can i help you','can you please tell me the status of my order'];
const utter = S.flatMap((s) => [speak('slt', s), speak('kal', s)]);
const speech = concatenate(...utter, silence(100));
let words = 0; const lat: number[] = []; const finLat: number[] = []; let bytes = 0; let msgs = 0;
await listen<FromEngine, ToEngine>(`${run}/transcripts.words`, () => ({ message: (m) => { msgs++; if (m.type === 'partial' && m.channel.startsWith('l')) { lat.push((monoUs() - m.arrivalUs) / 1000); bytes += JSON.stringify(m).length; } if (m.type === 'final') { words += m.words.length; finLat.push((monoUs() - m.arrivalUs) / 1000); } }, close: () => 0 }));
const child = fork(new URL('../main.ts', import.meta.url), { env: { ...process.env, EARSHOT_RUN_DIR: run, EARSHOT_INSTANCE: '0', LOG_LEVEL: 'warn' } });
child.send({ type: 'lent.all' });
let engine: unknown; let metrics: { name: string; values: { value: number; metricName?: string }[] }[] = [];
await new Promise<void>((r) => child.on('message', (m: { type: string; engine?: unknown; metrics: never }) => { if (m.type === 'ready') r(); if (m.type === 'pong') { engine = m.engine; metrics = m.metrics; } }));
let onCredit: (m: { channel: string; uptoTick: number; decidedTick: number }) => void = () => 0; const cuDone = new Set<string>(); const decided = new Map<string, number>(); let lost = 0; let maxLag = 0;
let up: () => void = () => 0; const ready = new Promise<void>((r) => (up = r));
const d = new Dialer<FromAsr, ToAsr>(`${run}/asr-0.audio`, { open: () => up(), message: (m) => { if (m.type === 'credit') onCredit(m); if (m.type === 'credit') decided.set(m.channel, m.decidedTick); if (m.type === 'lost') lost++; }, lost: () => console.log('link lost') });
await ready;
const jiffies = () => { const f = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]!.split(' '); return (Number(f[11]) + Number(f[12])) / 100; };
const ch = Array.from({ length: N }, (_, i) => ({ id: `l:${i}` as never, off: Math.floor(Math.random() * speech.length), at: Math.random() * 100, tick: 0, talking: Math.random() < 0.5 }));
for (const c of ch) d.send({ type: 'open', channel: c.id, attempt: 1, fromTick: 0, outputFromTick: 0, config: { priority: 'live' } });
const K = Number(process.argv[5] ?? 0); const cu = new Map<string, { sent: number; upto: number }>();
const feed = (id: string) => { const c = cu.get(id)!; while (c.sent + 800 <= c.upto && c.sent < 240000) { const o = c.sent % (speech.length - 800); d.send({ type: 'audio', channel: id as never, attempt: 1, startTick: c.sent, arrivalUs: Math.round(monoUs()) }, bytesOf(speech.subarray(o, o + 800))); c.sent += 800; } };
onCredit = (m) => { const c = cu.get(m.channel); if (c) { c.upto = m.uptoTick; feed(m.channel); if (m.decidedTick >= 240000 && !cuDone.has(m.channel)) { cuDone.add(m.channel); if (cuDone.size === K) console.log('catch-up done after', Math.round(performance.now() - t0)); } } };
const t0 = performance.now(); for (let i = 0; i < K; i++) { cu.set(`c:${i}`, { sent: 0, upto: 0 }); d.send({ type: 'open', channel: `c:${i}` as never, attempt: 1, fromTick: 0, outputFromTick: 0, config: { priority: 'catch-up' } }); }
 const c0 = jiffies(); const lags: number[] = [];
let nextPing = 2000;
for (;;) {
  const now = performance.now() - t0; if (now > seconds * 1000) break;
  for (const c of ch) while ((c.tick + 800) / 8 + c.at <= now) {
    const end = c.tick + 800;
    if (gated && Math.floor((c.tick / 8000 + c.at / 20) / 4) % 2 === 0) d.send({ type: 'gap', channel: c.id, attempt: 1, toTick: end });
    else { const o = (c.off + c.tick) % (speech.length - 800); d.send({ type: 'audio', channel: c.id, attempt: 1, startTick: c.tick, arrivalUs: Math.round(monoUs()) }, bytesOf(speech.subarray(o, o + 800))); }
    c.tick = end;
  }
  if (now > nextPing) { nextPing += 2000; child.send({ type: 'ping', id: 1 }); let mx = 0; for (const c of ch) mx = Math.max(mx, c.tick - (decided.get(c.id) ?? 0)); lags.push(Math.round(mx / 8)); maxLag = Math.max(maxLag, mx / 8); }
  await new Promise((r) => setTimeout(r, 10));
}
const rss = readFileSync(`/proc/${child.pid}/status`,'utf8').match(/VmRSS:\s+(\d+)/)![1]; const cpu = jiffies() - c0; const q = (a: number[], p: number) => Math.round(a.sort((x, y) => x - y)[Math.floor(p * a.length)] ?? -1);
const hist = metrics.find((m) => m.name === 'earshot_asr_batch_size')!.values; const sum = hist.find((v) => v.metricName?.endsWith('_sum'))!.value, cnt = hist.find((v) => v.metricName?.endsWith('_count'))!.value;
console.log(JSON.stringify({ N, K, rss, gated, seconds, engineCores: +(cpu / seconds).toFixed(2), partialMs: [q(lat, .5), q(lat, .95), q(lat, .99)], finalMs: [q(finLat, .5), q(finLat, .95)], lags, lost, engine, meanBatch: +(sum / cnt).toFixed(1), words, partialBytesPerS: Math.round(bytes / seconds), msgsPerS: Math.round(msgs / seconds), self: process.cpuUsage().user / 1e6 }));
child.kill('SIGKILL'); process.exit(0);
