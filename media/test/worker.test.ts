import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ChannelId, type ChannelTotals, ULAW_TO_LINEAR } from '@earshot/contracts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseBlocks } from '../src/spool/block-reader.ts';
import { readWal } from '../src/spool/wal-record.ts';
import { newCall, type TestCall } from './support/call.ts';
import { FakeEngine, FakeGateway, FakeTranscripts, type Opening } from './support/fakes.ts';
import { markedPayload, rtpBytes, RtpSender } from './support/rtp.ts';
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
  const folder = folderOf(call);
  const bytes: number[] = [];
  const spans: [number, number][] = [];
  for (const name of readdirSync(folder)
    .filter((each) => each.startsWith(`${index}-`))
    .sort()) {
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

const folderOf = (call: TestCall): string => join(host.dataDir, 'spool', call.callId);

async function close(call: TestCall): Promise<readonly ChannelTotals[]> {
  const answer = await gateway.ask({ type: 'leg.close', legId: call.leg.legId });
  if (answer.type !== 'leg.closed') throw new Error(JSON.stringify(answer));
  return answer.channels;
}

async function replaceWorker(): Promise<void> {
  const hellos = gateway.hellos;
  await host.start();
  await until(() => gateway.hellos > hellos, 'hello of the replacement');
}

/** Packets in the worker's log files. */
function loggedPackets(): number {
  let count = 0;
  const folder = join(host.dataDir, 'spool', 'wal');
  for (const name of readdirSync(folder)) {
    readWal(readFileSync(join(folder, name)), (record) => {
      if (record.kind === 'packet') count++;
    });
  }
  return count;
}

/** The PCM that was heard, each tick once, from the openings of a channel: later openings go over earlier ones. */
function heardTicks(channel: ChannelId): Map<number, number> {
  const heard = new Map<number, number>();
  for (const opening of engine.openings.filter((each) => each.channel === channel)) {
    for (const { kind, from, pcm } of opening.heard) {
      if (kind === 'audio') pcm.forEach((sample, i) => heard.set(from + i, sample));
    }
  }
  return heard;
}

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
    // What was sent is in the log: the next packet is up to 20 ms away.
    await until(() => loggedPackets() === pair[0]!.sent + pair[1]!.sent, 'all that was sent in the log');
    await host.kill();
    const killedAt = pair[0]!.sent;
    await until(() => pair[0]!.sent >= killedAt + 25, 'packets while nobody reads');
    await replaceWorker();
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

  it('finishes a leg that was closed but not committed when the process died', async () => {
    const call = newCall(1, { record: false });
    const channel = call.channels[0]!;
    engine.creditAheadTicks = 1600;
    transcripts.holdCommits = true;
    const [sender] = await open(call);
    for (let n = 0; n < 150; n++) await sender!.next();
    const [totals] = await close(call);
    await host.kill();
    transcripts.holdCommits = false;
    engine.creditAheadTicks = 16_000;
    await replaceWorker();
    await until(() => (transcripts.settledTick.get(channel) ?? 0) === totals!.endTick, 'settled to the end');
    expect([...heardTicks(channel).values()]).toEqual(sentBytes(150).map((code) => ULAW_TO_LINEAR[code]));
    await until(() => !existsSync(folderOf(call)), 'the folder gone, for nothing is to be recorded');
    expect(engine.faults).toEqual([]);
  });

  it('opens a channel again on another engine when its engine dies, from the committed tick on', async () => {
    await host.drain();
    host.engines = 2;
    await host.start();
    const call = newCall(1);
    const channel = call.channels[0]!;
    const [sender] = await open(call);
    sender!.start();
    const first = await ready(channel);
    await until(() => audioTicks(first) > 8000, 'a second heard');
    transcripts.holdCommits = true;
    const committed = transcripts.settledTick.get(channel)!;
    const heardBefore = heardTicks(channel);
    const second = await FakeEngine.start(host.runDir, 1);
    await engine.die();
    const dead = engine;
    engine = second;
    const opening = await ready(channel);
    expect(opening.attempt).toBeGreaterThan(first.attempt);
    expect(opening.outputFromTick).toBe(committed);
    expect(opening.fromTick).toBe(Math.max(0, committed - 8000));
    await until(() => opening.at > first.at + 8000, 'life goes on');
    sender!.stop();
    const [totals] = await close(call);
    await until(() => opening.endTick === totals!.endTick, 'end');
    for (const [tick, sample] of heardTicks(channel)) {
      if (heardBefore.has(tick)) expect(heardBefore.get(tick)).toBe(sample);
    }
    const firstAudio = dead.openings[0]!.heard.find((each) => each.kind === 'audio')!.from;
    expect(audioTicks(opening)).toBe(sender!.sent * 160 - Math.max(0, opening.fromTick - firstAudio));
    expect([...dead.faults, ...engine.faults]).toEqual([]);
    expect(await host.metric('earshot_asr_reopens_total', { reason: 'engine_link' })).toBe(1);
  });

  it('opens a channel again when its engine cannot keep it', async () => {
    const call = newCall(1);
    const [sender] = await open(call);
    sender!.start();
    const first = await ready(call.channels[0]!);
    await until(() => audioTicks(first) > 1600, 'something heard');
    engine.giveBack(first);
    await until(() => engine.latest(call.channels[0]!)!.attempt > first.attempt, 'opened again');
    const again = engine.latest(call.channels[0]!)!;
    await until(() => again.at > first.at + 1600, 'life goes on');
    expect(engine.faults).toEqual([]);
    expect(await host.metric('earshot_asr_reopens_total', { reason: 'engine_lost' })).toBe(1);
  });

  it('asks a replaced transcripts where to go on, for every channel that is not finished', async () => {
    const call = newCall(2);
    const pair = await open(call);
    for (const sender of pair) sender.start();
    const first = await ready(call.channels[0]!);
    await until(() => first.at > 8000, 'a second heard');
    const before = transcripts;
    await transcripts.die();
    transcripts = await FakeTranscripts.start(host.runDir, before);
    engine.transcripts = transcripts;
    await until(() => transcripts.asked.length >= 2, 'asked for both channels');
    await until(() => engine.latest(call.channels[0]!)!.attempt > first.attempt, 'opened again');
    await until(() => engine.latest(call.channels[0]!)!.at > first.at + 8000, 'life goes on');
    for (const sender of pair) sender.stop();
    const totals = await close(call);
    for (const total of totals) {
      await until(() => transcripts.settledTick.get(total.channel) === total.endTick, 'settled to the end');
    }
    expect(engine.faults).toEqual([]);
  });

  it('counts garbage, foreign sources, RTCP and unknown payloads by reason, and takes none of them', async () => {
    const call = newCall(1);
    const [sender] = await open(call);
    const stranger = new RtpSender(host.portOf(call.channels[0]!), 99);
    senders.push(stranger);
    await sender!.next();
    await until(() => host.lent.size > 0, 'sockets');
    await sender!.raw(Buffer.from('not RTP at all'));
    await sender!.raw(Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]));
    await sender!.raw(
      rtpBytes({ sequence: 65_501, timestamp: 1, ssrc: 0x5eed, payloadType: 101, payload: Buffer.alloc(4) }),
    );
    for (let n = 0; n < 3; n++) await stranger.next();
    sender!.sent = 2;
    await sender!.next();
    const [totals] = await close(call);
    expect(totals).toMatchObject({ packetsReceived: 2, packetsLost: 0, packetsRejected: 6 });
    const counts = Object.fromEntries(
      await Promise.all(
        ['garbage', 'rtcp', 'payload_type', 'source'].map(async (reason) => [
          reason,
          await host.metric('earshot_rtp_packets_rejected_total', { reason }),
        ]),
      ),
    ) as Record<string, number>;
    expect(counts).toEqual({ garbage: 1, rtcp: 1, payload_type: 1, source: 3 });
  });

  it('moves a held channel on by the clock, tells the engine, and does not time it out', async () => {
    const held = newCall(1, { rtpTimeoutS: 1 }, { state: 'held' });
    const silent = newCall(1, { rtpTimeoutS: 1 });
    await open(held);
    await open(silent);
    const opening = await ready(held.channels[0]!);
    await until(() => opening.at > 8000, 'a second of silence told');
    expect(opening.heard.every((each) => each.kind === 'gap')).toBe(true);
    await until(() => gateway.reports.some((report) => report.type === 'leg.timeout'), 'a time-out');
    const timedOut = gateway.reports.filter((report) => report.type === 'leg.timeout');
    expect(timedOut).toEqual([{ type: 'leg.timeout', legId: silent.leg.legId }]);
    const [totals] = await close(held);
    expect(totals!.endTick).toBeGreaterThan(8000);
    await until(() => opening.endTick === totals!.endTick, 'end');
  });

  it('listens to another source after the leg was updated with another remote', async () => {
    const call = newCall(1, {}, { remote: { address: '127.0.0.1', port: 1 } });
    const [sender] = await open(call);
    for (let n = 0; n < 5; n++) await sender!.next();
    const channels = call.leg.channels.map((each) => ({
      ...each,
      remote: { address: '127.0.0.1', port: 2 },
    }));
    const answer = await gateway.ask({ type: 'leg.update', leg: { ...call.leg, channels } });
    expect(answer.type).toBe('leg.updated');
    const other = new RtpSender(host.portOf(call.channels[0]!), 77);
    senders.push(other);
    for (let n = 0; n < 5; n++) await other.next();
    const [totals] = await close(call);
    expect(totals).toMatchObject({ packetsReceived: 10, packetsRejected: 0 });
  });

  it('answers orders that it cannot follow with a code', async () => {
    const call = newCall(1);
    await open(call);
    const unknown = newCall(1);
    const failures = [
      await gateway.ask({ type: 'leg.open', leg: call.leg }),
      await gateway.ask({ type: 'leg.close', legId: unknown.leg.legId }),
      await gateway.ask({ type: 'leg.update', leg: unknown.leg }),
    ];
    host.refuse = true;
    failures.push(await gateway.ask({ type: 'leg.open', leg: unknown.leg }));
    expect(failures.map((answer) => (answer.type === 'leg.failed' ? answer.code : answer.type))).toEqual([
      'REQUEST_INVALID',
      'CALL_NOT_FOUND',
      'CALL_NOT_FOUND',
      'RTP_PORTS_EXHAUSTED',
    ]);
  });

  it('is brought in line by the gateway: closes what is not listed, opens what it lacks', async () => {
    const kept = newCall(1);
    const dropped = newCall(1);
    const lacking = newCall(1);
    await open(kept);
    await open(dropped);
    const answer = await gateway.ask({ type: 'leg.sync', legs: [kept.leg, lacking.leg] });
    expect(answer.type).toBe('leg.synced');
    expect(host.returned).toEqual(dropped.channels);
    expect([...host.lent.keys()].toSorted()).toEqual([...kept.channels, ...lacking.channels].toSorted());
    await until(() => transcripts.ended.has(dropped.channels[0]!), 'its end told');
  });

  it('tells which leg of a sync it could not open', async () => {
    const lacking = newCall(1);
    host.refuse = true;
    expect((await gateway.ask({ type: 'leg.sync', legs: [lacking.leg] })).type).toBe('leg.synced');
    expect(gateway.failures).toMatchObject([{ legId: lacking.leg.legId, code: 'RTP_PORTS_EXHAUSTED' }]);
  });

  it('keeps the spool while transcripts has taken all but not committed it', async () => {
    const call = newCall(1, { record: false });
    const channel = call.channels[0]!;
    transcripts.holdCommits = true;
    const [sender] = await open(call);
    for (let n = 0; n < 20; n++) await sender!.next();
    const [totals] = await close(call);
    await until(() => engine.latest(channel)?.endTick === totals!.endTick, 'the end on the engine');
    expect(existsSync(folderOf(call))).toBe(true);
    transcripts.holdCommits = false;
    transcripts.settle(channel, totals!.endTick);
    await until(() => !existsSync(folderOf(call)), 'the folder gone after the commit');
  });

  it('ends a channel that never received anything', async () => {
    const call = newCall(1);
    await open(call);
    const [totals] = await close(call);
    expect(totals).toMatchObject({ packetsReceived: 0 });
    await until(() => transcripts.ended.get(call.channels[0]!) === totals!.endTick, 'its end told');
    await until(() => !existsSync(join(folderOf(call), 'leg-0.json')), 'all settled');
  });

  it('binds anew when a predecessor left no socket', async () => {
    const call = newCall(1);
    await open(call);
    await host.kill();
    host.lent.clear();
    await replaceWorker();
    expect([...host.lent.keys()]).toEqual(call.channels);
    const sender = new RtpSender(host.portOf(call.channels[0]!));
    senders.push(sender);
    await gateway.ask({ type: 'leg.sync', legs: [call.leg] });
    for (let n = 0; n < 5; n++) await sender.next();
    const [totals] = await close(call);
    expect(totals!.packetsReceived).toBe(5);
  });

  it('feeds an engine that comes late from the files, what the tape has dropped included', async () => {
    const call = newCall(1);
    const channel = call.channels[0]!;
    engine.creditAheadTicks = 800;
    transcripts.holdCommits = true;
    const [sender] = await open(call);
    const opening = await ready(channel);
    // 30 s in a burst of which each packet is believed by its timestamp; the tape keeps the last 20.
    for (let n = 0; n < 1500; n++) {
      await sender!.next();
      // A round trip lets the worker read on before the socket's buffer is full.
      if (n % 25 === 24) await gateway.ask({ type: 'leg.update', leg: call.leg });
    }
    const [totals] = await close(call);
    expect(totals).toMatchObject({ packetsReceived: 1500, packetsLost: 0 });
    engine.creditAheadTicks = 80_000;
    await until(() => opening.endTick === totals!.endTick, 'the end, from the files', 30_000);
    expect([...heardTicks(channel).values()]).toEqual(sentBytes(1500).map((code) => ULAW_TO_LINEAR[code]));
    expect(engine.faults).toEqual([]);
  }, 40_000);

  it('goes on from memory when the spool cannot be written', async () => {
    const call = newCall(1);
    const [sender] = await open(call);
    const folder = folderOf(call);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'in the way');
    sender!.start();
    const opening = await ready(call.channels[0]!);
    await until(() => audioTicks(opening) > 12_000, 'words go on');
    expect(await host.metric('earshot_spool_write_errors_total')).toBeGreaterThan(0);
    sender!.stop();
    const [totals] = await close(call);
    expect(totals).toMatchObject({ packetsReceived: sender!.sent, packetsLost: 0 });
  });
});
