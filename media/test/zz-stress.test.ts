import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'vitest';
import { parseBlocks } from '../src/spool/block-reader.ts';
import { newCall } from './support/call.ts';
import { FakeEngine, FakeGateway, FakeTranscripts } from './support/fakes.ts';
import { markedPayload, RtpSender } from './support/rtp.ts';
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
    const want = Array.from({ length: s.sent }, (_, n) => [...markedPayload(n)]).flat();
    if (want.length !== bytes.length || want.some((b, n) => b !== bytes[n])) { wrong++; console.log(i, s.sent, bytes.length / 160, channels[i]); }
  }
  console.log({ total, lost, wrong, splits, faults: engine.faults });
  console.log(host.output.join('').split('\n').filter((l) => /warn|error|took over/.test(l)).map((l) => l.slice(0, 300)).join('\n'));
  gateway.close();
  for (const s of senders) await s.close();
  await host.stop(); await engine.die(); await transcripts.die();
}, 120_000);
