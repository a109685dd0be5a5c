import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChannelId, ULAW_TO_LINEAR } from '@earshot/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseBlocks } from '../src/spool/block-reader.ts';
import { newCall, type TestCall } from './support/call.ts';
import { FakeEngine, FakeGateway, FakeTranscripts, type Opening } from './support/fakes.ts';
import { markedPayload, RtpSender } from './support/rtp.ts';
import { TestHost } from './support/test-host.ts';
import { until } from './support/until.ts';

let host: TestHost;
let gateway: FakeGateway;
let engine: FakeEngine;
let transcripts: FakeTranscripts;
let senders: RtpSender[];

beforeEach(async () => {
  host = new TestHost();
  senders = [];
  transcripts = await FakeTranscripts.start(host.runDir);
  engine = await FakeEngine.start(host.runDir);
  engine.transcripts = transcripts;
  await host.start();
  gateway = new FakeGateway(host.runDir);
});

afterEach(async () => {
  gateway.close();
  for (const sender of senders) await sender.close();
  await host.stop();
  await engine.die();
  await transcripts.die();
});

async function open(call: TestCall): Promise<RtpSender[]> {
  const answer = await gateway.ask({ type: 'leg.open', leg: call.leg });
  expect(answer.type).toBe('leg.opened');
  const made = call.channels.map((channel, i) => new RtpSender(host.portOf(channel), 0x5eed + i));
  senders.push(...made);
  return made;
}

/** The payload bytes of a channel's files, in order, and the ticks that they cover. */
function spooled(call: TestCall, index: number): { bytes: number[]; spans: [number, number][] } {
  const folder = join(host.dataDir, 'spool', call.callId);
  const bytes: number[] = [];
  const spans: [number, number][] = [];
  for (const name of readdirSync(folder).filter((each) => each.startsWith(`${index}-`)).sort()) {
    const parsed = parseBlocks(readFileSync(join(folder, name)));
    expect(parsed.damaged).toBe(0);
    for (const { block } of parsed.blocks) {
      bytes.push(...block.payload);
      spans.push([block.startTick, block.startTick + block.ticks]);
    }
  }
  return { bytes, spans };
}

const sentBytes = (count: number): number[] =>
  Array.from({ length: count }, (_, n) => [...markedPayload(n)]).flat();

const audioTicks = (opening: Opening): number =>
  opening.heard.filter((each) => each.kind === 'audio').reduce((sum, each) => sum + each.to - each.from, 0);

async function ready(channel: ChannelId): Promise<Opening> {
  await until(() => engine.latest(channel) !== undefined, 'opened on the engine');
  return engine.latest(channel)!;
}

describe('media worker', () => {
  it('takes a leg, feeds an engine what was said, and ends with exact totals', async () => {
    const call = newCall(2);
    const [first, second] = await open(call);
    first!.start();
    second!.start();
    await until(() => first!.sent >= 100 && second!.sent >= 100, '2 s of speech');
    first!.stop();
    second!.stop();
    const closed = await gateway.ask({ type: 'leg.close', legId: call.leg.legId });
    expect(closed.type).toBe('leg.closed');
    if (closed.type !== 'leg.closed') return;
    for (const [i, sender] of [first!, second!].entries()) {
      const channel = call.channels[i]!;
      const totals = closed.channels[i]!;
      expect(totals).toMatchObject({
        channel,
        packetsReceived: sender.sent,
        packetsLost: 0,
        packetsLate: 0,
        packetsDuplicate: 0,
        packetsRejected: 0,
      });
      expect(spooled(call, i).bytes).toEqual(sentBytes(sender.sent));
      const opening = await ready(channel);
      await until(() => opening.endTick !== null, 'end on the engine');
      expect(opening.endTick).toBe(totals.endTick);
      expect(audioTicks(opening)).toBe(sender.sent * 160);
      const pcm = opening.heard.filter((each) => each.kind === 'audio').flatMap((each) => [...each.pcm]);
      expect(pcm).toEqual(sentBytes(sender.sent).map((code) => ULAW_TO_LINEAR[code]));
      await until(() => transcripts.ended.get(channel) === totals.endTick, 'ended told');
    }
    expect(engine.faults).toEqual([]);
    const legFile = join(host.dataDir, 'spool', call.callId, 'leg-0.json');
    await until(() => !existsSync(legFile), 'leg file gone when all is committed');
    expect(host.returned.toSorted()).toEqual([...call.channels].toSorted());
  });

  it('loses nothing when the process is killed in mid-stream and replaced', async () => {
    const call = newCall(2);
    const pair = await open(call);
    for (const sender of pair) sender.start();
    await until(() => pair[0]!.sent >= 43 && pair[1]!.sent >= 43, 'mid-stream');
    // 10 ms after a packet: one that was read is in the log, the next is not sent yet.
    const at = pair[0]!.sent;
    await until(() => pair[0]!.sent > at, 'a packet');
    await new Promise((resolve) => setTimeout(resolve, 8));
    await host.kill();
    const killedAt = pair[0]!.sent;
    await until(() => pair[0]!.sent >= killedAt + 25, 'packets while nobody reads');
    await host.start();
    await until(() => gateway.hellos >= 2, 'hello of the replacement');
    expect((await gateway.ask({ type: 'leg.sync', legs: [call.leg] })).type).toBe('leg.synced');
    await until(() => pair[0]!.sent >= killedAt + 100, 'life goes on');
    for (const sender of pair) sender.stop();
    const closed = await gateway.ask({ type: 'leg.close', legId: call.leg.legId });
    if (closed.type !== 'leg.closed') throw new Error(JSON.stringify(closed));
    for (const [i, sender] of pair.entries()) {
      const { bytes, spans } = spooled(call, i);
      expect(bytes.length / 160).toBe(sender.sent);
      expect(bytes).toEqual(sentBytes(sender.sent));
      for (const [n, [from]] of spans.entries()) if (n > 0) expect(from).toBe(spans[n - 1]![1]);
      expect(closed.channels[i]).toMatchObject({ packetsReceived: sender.sent, packetsLost: 0 });
      const opening = await ready(call.channels[i]!);
      expect(opening.attempt).toBeGreaterThan(1);
      await until(() => opening.endTick !== null, 'end on the engine');
    }
    expect(engine.faults).toEqual([]);
  }, 40_000);
});
