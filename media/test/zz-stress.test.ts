import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'vitest';
import { parseBlocks } from '../src/spool/block-reader.ts';
import { newCall } from './support/call.ts';
import { FakeEngine, FakeGateway, FakeTranscripts } from './support/fakes.ts';
import dgram from 'node:dgram';
import { markedPayload, rtpBytes } from './support/rtp.ts';
class RtpSender {
  socket = dgram.createSocket('udp4'); sent = 0; timer: NodeJS.Timeout | null = null; port; ssrc; ticks; stopping = false;
  constructor(port: number, ssrc: number) { this.port = port; this.ssrc = ssrc; this.ticks = ssrc % 3 === 0 ? 240 : ssrc % 3 === 1 ? 160 : 80; }
  one(n: number) { this.socket.send(rtpBytes({ sequence: 65000 + n, timestamp: 4294960000 + n * this.ticks, ssrc: this.ssrc, payload: markedPayload(n, this.ticks) }), this.port, '127.0.0.1'); }
  start() { let due = performance.now(); const turn = () => {
      if (this.sent > 0 && this.ticks < 240 && Math.random() < 0.1) { const n = this.sent; this.sent += 2; this.one(n + 1); this.one(n); due += this.ticks / 4; }
      else this.one(this.sent++);
      due += this.ticks / 8; this.timer = setTimeout(turn, Math.max(0, due - performance.now())); }; turn(); }
  stop() { clearTimeout(this.timer!); }
  async close() { this.stop(); await new Promise<void>((r) => this.socket.close(() => r())); }
}
import { TestHost } from './support/test-host.ts';

it('stress', async () => {
  const host = new TestHost();
  host.env['LOG_LEVEL']='info';
  const transcripts = await FakeTranscripts.start(host.runDir);
  const engine = await FakeEngine.start(host.runDir);
  engine.transcripts = transcripts;
  await host.start();
  const gateway = new FakeGateway(host.runDir);
  const call = newCall(20);
  await gateway.ask({ type: 'leg.open', leg: call.leg });
  const senders = call.channels.map((c, i) => new RtpSender(host.portOf(c), i + 5));
  for (const s of senders) { await new Promise((r) => setTimeout(r, 1)); s.start(); }
  for (let k = 0; k < 12; k++) {
    await new Promise((r) => setTimeout(r, 500 + Math.random() * 1500));
    await host.kill();
    await new Promise((r) => setTimeout(r, Math.random() * 1000));
    await host.start();
    await gateway.connected();
    await gateway.ask({ type: 'leg.sync', legs: [call.leg] });
  }
  await new Promise((r) => setTimeout(r, 1000));
  for (const s of senders) s.stop();
  const closed = await gateway.ask({ type: 'leg.close', legId: call.leg.legId });
  const channels = closed.type === 'leg.closed' ? closed.channels : [];
  let lost = 0, wrong = 0, total = 0, splits = 0;
  for (const [i, s] of senders.entries()) {
    const folder = join(host.dataDir, 'spool', call.callId);
    const bytes: number[] = [];
    let end = -1;
    for (const name of readdirSync(folder).filter((e) => e.startsWith(`${i}-`)).sort()) {
      const p = parseBlocks(readFileSync(join(folder, name)));
      if (p.damaged) console.log('damaged', i);
      for (const { block } of p.blocks) { bytes.push(...block.payload); if (end >= 0 && block.startTick !== end) { splits++; console.log('split', i, end, block.startTick) } end = block.startTick + block.ticks; }
    }
    total += s.sent;
    lost += channels[i]!.packetsLost;
    const want = Array.from({ length: s.sent }, (_, n) => [...markedPayload(n, s.ticks)]).flat();
    if (want.length !== bytes.length || want.some((b, n) => b !== bytes[n])) { wrong++; console.log(i, s.sent, bytes.length / s.ticks, channels[i]); }
  }
  console.log({ total, lost, wrong, splits, faults: engine.faults });
  console.log(host.output.join('').split('\n').filter((l) => /warn|error|took over/.test(l)).map((l) => l.slice(0, 300)).join('\n'));
  gateway.close();
  for (const s of senders) await s.close();
  await host.stop(); await engine.die(); await transcripts.die();
}, 120_000);
