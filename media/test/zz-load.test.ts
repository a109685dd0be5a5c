import { fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { it } from 'vitest';
import { newCall } from './support/call.ts';
import { FakeEngine, FakeGateway, FakeTranscripts } from './support/fakes.ts';
import { TestHost } from './support/test-host.ts';

it('load', async () => {
  const host = new TestHost();
  host.env['LOG_LEVEL'] = 'warn'; host.env['WALDEBUG'] = process.env['WALDEBUG'] ?? '';
  if (process.env['PROF']) host.env['NODE_OPTIONS'] = '--cpu-prof --cpu-prof-dir=/tmp/prof';
  await host.start();
  const transcripts = await FakeTranscripts.start(host.runDir);
  const engine = await FakeEngine.start(host.runDir); engine.transcripts = transcripts;
  const gateway = new FakeGateway(host.runDir);
  const calls = Array.from({ length: 300 }, () => newCall(2));
  for (const call of calls) await gateway.ask({ type: 'leg.open', leg: call.leg });
  const ports = calls.flatMap((c) => c.channels.map((ch) => host.portOf(ch)));
  writeFileSync('/tmp/gen.mjs', `
import dgram from 'node:dgram';
const ports = JSON.parse(process.argv[2]);
const socks = ports.map(() => dgram.createSocket('udp4'));
const b = Buffer.alloc(172); b[0]=0x80; for (let i=12;i<172;i++) b[i]=(i*7)&127;
let n=0; const t0=performance.now();
function turn(){ const due = Math.floor((performance.now()-t0)/20);
 while(n<due){ for (let i=0;i<ports.length;i++){ const p=Buffer.from(b); p.writeUInt16BE(n&0xffff,2); p.writeUInt32BE((n*160)>>>0,4); p.writeUInt32BE(i,8); socks[i].send(p,ports[i],'127.0.0.1'); } n++; }
 if (n<500) setTimeout(turn,5); else { process.send(n); setTimeout(()=>process.exit(),2000);} }
turn();`);
  const cpu = () => host.metric('earshot_process_cpu_seconds_total');
  const c0 = await cpu();
  const t0 = performance.now();
  const gen = fork('/tmp/gen.mjs', [JSON.stringify(ports)]);
  const donePromise = new Promise((r) => gen.on('message', r));
  await new Promise((r) => setTimeout(r, 5000));
  if (process.env['KILL']) { const k0 = performance.now(); await host.kill(); await host.start(); console.log('replaced in ms', performance.now() - k0); await gateway.connected(); await gateway.ask({ type: 'leg.sync', legs: calls.map((c) => c.leg) }); console.log('synced ms', performance.now() - k0); }
  const sent = await donePromise;
  const secs = (performance.now() - t0) / 1000;
  await new Promise((r) => setTimeout(r, 1500));
  const c1 = await cpu();
  console.log({ sent, secs, cpuPerCore: (c1 - c0) / secs, received: await host.metric('earshot_rtp_packets_received_total'), lost: await host.metric('earshot_rtp_packets_lost_total'), wal: await host.metric('earshot_wal_bytes_total'), spool: await host.metric('earshot_spool_bytes_total'), loop: gateway.reports.filter((r) => r.type === 'load').map((r) => r.type === 'load' && Math.round(r.loopDelayMs)) });
  console.log('openings', engine.openings.length, 'faults', engine.faults.slice(0, 3), 'lag ticks', Math.max(...engine.openings.map((o) => sent as number * 160 - o.at)), Math.min(...engine.openings.map((o) => o.at)));
  console.log(host.output.join('').slice(0, 3000));
  gateway.close();
  if (process.env['PROF']) console.log('drain', await host.drain());
  await host.stop();
}, 120_000);
