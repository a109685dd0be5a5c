import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Leg, type SpanKind, ULAW_TO_LINEAR } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import { newCall } from './support/call.ts';
import { FakeEngine, FakeTranscripts } from './support/fakes.ts';
import { audioTicks, sentBytes, useRoom } from './support/room.ts';
import { RtpSender } from './support/rtp.ts';
import { until } from './support/until.ts';

const room = useRoom();

describe('recovery', () => {
  it('loses nothing when the process is killed in mid-stream and replaced', async () => {
    const call = newCall(2);
    const pair = await room.open(call);
    for (const sender of pair) sender.start();
    await until(() => pair[0]!.sent >= 43 && pair[1]!.sent >= 43, 'mid-stream');
    // What was sent is in the log: the next packet is up to 20 ms away.
    await until(() => room.loggedPackets() === pair[0]!.sent + pair[1]!.sent, 'all that was sent in the log');
    await room.host.kill();
    const killedAt = pair[0]!.sent;
    await until(() => pair[0]!.sent >= killedAt + 25, 'packets while nobody reads');
    await room.replaceWorker();
    expect((await room.gateway.ask({ type: 'leg.sync', legs: [call.leg] })).type).toBe('leg.synced');
    await until(() => pair[0]!.sent >= killedAt + 100, 'life goes on');
    for (const sender of pair) sender.stop();
    const closed = await room.gateway.ask({ type: 'leg.close', legId: call.leg.legId });
    if (closed.type !== 'leg.closed') throw new Error(JSON.stringify(closed));
    for (const [i, sender] of pair.entries()) {
      const { bytes, spans } = room.spooled(call, i);
      expect(bytes.length / 160).toBe(sender.sent);
      expect(bytes).toEqual(sentBytes(sender.sent));
      for (const [n, [from]] of spans.entries()) if (n > 0) expect(from).toBe(spans[n - 1]![1]);
      expect(closed.channels[i]).toMatchObject({ packetsReceived: sender.sent, packetsLost: 0 });
      const opening = await room.ready(call.channels[i]!);
      expect(opening.attempt).toBeGreaterThan(1);
      await until(() => opening.endTick !== null, 'end on the engine');
    }
    expect(room.engine.faults).toEqual([]);
  }, 40_000);

  it('tells the ledger of what its predecessor had told nobody of, from the spool', async () => {
    const call = newCall(1);
    const channel = call.channels[0]!;
    const [sender] = await room.open(call);
    // 20 s in a burst: more than the last blocks that a successor reads at first.
    for (let n = 0; n < 1000; n++) {
      await sender!.next();
      if (n % 25 === 24) await room.gateway.ask({ type: 'leg.update', leg: call.leg });
    }
    await until(() => room.spooled(call, 0).bytes.length >= 155_000, 'in the files');
    expect(room.transcripts.ledgers.map(({ toTick }) => toTick)).not.toContain(160_000);
    await room.host.kill();
    await room.replaceWorker();
    expect((await room.gateway.ask({ type: 'leg.sync', legs: [call.leg] })).type).toBe('leg.synced');
    await until(
      () =>
        room.transcripts.ledgers.some(({ fill, fromTick, toTick }) => fill && toTick - fromTick > 150_000),
      'filled',
    );
    const [totals] = await room.close(call);
    const rows = room.transcripts.ledgers.filter((row) => row.channel === channel);
    const named = new Uint8Array(totals!.endTick);
    for (const row of rows) named.fill(1, row.fromTick, row.toTick);
    expect(named.indexOf(0)).toBe(-1);
    expect(rows.flatMap((row) => row.notes.map(({ kind }) => kind))).toContain('worker');
  }, 40_000);

  it('tells what passed while a call was paused as that, though its process is killed meanwhile', async () => {
    const call = newCall(1);
    const paused: Leg = { ...call.leg, paused: true };
    const [sender] = await room.open(call);
    sender!.start();
    await until(() => sender!.sent >= 60, 'said before');
    await room.gateway.ask({ type: 'leg.update', leg: paused });
    const pausedAt = sender!.sent;
    await until(() => sender!.sent >= pausedAt + 100, 'a pause that the log knows of');
    await room.host.kill();
    await until(() => sender!.sent >= pausedAt + 130, 'a time in which nobody is there');
    await room.replaceWorker();
    expect((await room.gateway.ask({ type: 'leg.sync', legs: [paused] })).type).toBe('leg.synced');
    const replacedAt = sender!.sent;
    await until(() => sender!.sent >= replacedAt + 60, 'still paused');
    await room.gateway.ask({ type: 'leg.update', leg: call.leg });
    const resumedAt = sender!.sent;
    await until(() => sender!.sent >= resumedAt + 60, 'said after');
    sender!.stop();
    const [totals] = await room.close(call);
    const told = new Array<SpanKind | null>(totals!.endTick).fill(null);
    for (const { fill, fromTick, spans } of room.transcripts.ledgers) {
      let tick = fromTick;
      for (const [kind, ticks] of spans) {
        // What the spool says only fills what nobody said.
        for (const end = tick + ticks; tick < end; tick++)
          if (!fill || told[tick] === null) told[tick] = kind;
      }
    }
    const changes = told.filter((kind, tick) => kind !== told[tick - 1]);
    expect(changes.slice(changes.indexOf('received'))).toEqual(['received', 'paused', 'received']);
    const ticks = told.filter((kind) => kind === 'paused').length;
    // From the answer to the first order to that to the second, with up to a second around each.
    expect(Math.abs(ticks - (resumedAt - pausedAt) * 160)).toBeLessThan(8000);
  }, 40_000);

  it('finishes a leg that was closed but not committed when the process died', async () => {
    const call = newCall(1, { record: false });
    const channel = call.channels[0]!;
    room.engine.creditAheadTicks = 1600;
    room.transcripts.holdCommits = true;
    const [sender] = await room.open(call);
    for (let n = 0; n < 150; n++) await sender!.next();
    const [totals] = await room.close(call);
    await room.host.kill();
    room.transcripts.holdCommits = false;
    room.engine.creditAheadTicks = 16_000;
    await room.replaceWorker();
    await until(
      () => (room.transcripts.settledTick.get(channel) ?? 0) === totals!.endTick,
      'settled to the end',
    );
    expect([...room.heardTicks(channel).values()]).toEqual(
      sentBytes(150).map((code) => ULAW_TO_LINEAR[code]),
    );
    await until(() => !existsSync(room.folderOf(call)), 'the folder gone, for nothing is to be recorded');
    expect(room.engine.faults).toEqual([]);
  });

  it('opens a channel again on another engine when its engine dies, from the committed tick on', async () => {
    await room.host.drain();
    room.host.engines = 2;
    await room.host.start();
    const call = newCall(1);
    const channel = call.channels[0]!;
    const [sender] = await room.open(call);
    sender!.start();
    const first = await room.ready(channel);
    await until(() => audioTicks(first) > 8000, 'a second heard');
    room.transcripts.holdCommits = true;
    const committed = room.transcripts.settledTick.get(channel)!;
    const heardBefore = room.heardTicks(channel);
    const second = await FakeEngine.start(room.host.runDir, 1);
    await room.engine.die();
    const dead = room.engine;
    room.engine = second;
    const opening = await room.ready(channel);
    expect(opening.attempt).toBeGreaterThan(first.attempt);
    expect(opening.outputFromTick).toBe(committed);
    expect(opening.fromTick).toBe(Math.max(0, committed - 32_000));
    await until(() => opening.at > first.at + 8000, 'life goes on');
    sender!.stop();
    const [totals] = await room.close(call);
    await until(() => opening.endTick === totals!.endTick, 'end');
    for (const [tick, sample] of room.heardTicks(channel)) {
      if (heardBefore.has(tick)) expect(heardBefore.get(tick)).toBe(sample);
    }
    const firstAudio = dead.openings[0]!.heard.find((each) => each.kind === 'audio')!.from;
    expect(audioTicks(opening)).toBe(sender!.sent * 160 - Math.max(0, opening.fromTick - firstAudio));
    expect([...dead.faults, ...room.engine.faults]).toEqual([]);
    expect(await room.host.metric('earshot_asr_reopens_total', { reason: 'engine_link' })).toBe(1);
  });

  it('tells each engine what the call asks of the recogniser, also after the worker was replaced', async () => {
    const recognition = { vocabulary: ['sales', 'billing'], maxDelayMs: 1500 };
    const call = newCall(1, { recognition });
    const plain = newCall(1);
    const [sender] = await room.open(call);
    await room.open(plain);
    for (let n = 0; n < 50; n++) await sender!.next();
    const first = await room.ready(call.channels[0]!);
    expect(first.config).toEqual({ ...recognition, priority: 'live' });
    expect((await room.ready(plain.channels[0]!)).config).toEqual({ priority: 'live' });
    await room.host.kill();
    // The leg file alone has it: the gateway says nothing here.
    await room.replaceWorker();
    await until(() => room.engine.latest(call.channels[0]!)!.attempt > first.attempt, 'opened again');
    expect(room.engine.latest(call.channels[0]!)!.config).toEqual({ ...recognition, priority: 'live' });
    // Other settings of the gateway's count from the next opening on.
    const leg = { ...call.leg, recognition: { maxDelayMs: 700 } };
    await room.gateway.ask({ type: 'leg.sync', legs: [leg, plain.leg] });
    const second = room.engine.latest(call.channels[0]!)!;
    room.engine.giveBack(second);
    await until(() => room.engine.latest(call.channels[0]!)!.attempt > second.attempt, 'and again');
    expect(room.engine.latest(call.channels[0]!)!.config).toEqual({ maxDelayMs: 700, priority: 'live' });
  });

  it('opens a channel again when its engine cannot keep it', async () => {
    const call = newCall(1);
    const [sender] = await room.open(call);
    sender!.start();
    const first = await room.ready(call.channels[0]!);
    await until(() => audioTicks(first) > 1600, 'something heard');
    room.engine.giveBack(first);
    await until(() => room.engine.latest(call.channels[0]!)!.attempt > first.attempt, 'opened again');
    const again = room.engine.latest(call.channels[0]!)!;
    await until(() => again.at > first.at + 1600, 'life goes on');
    expect(room.engine.faults).toEqual([]);
    expect(await room.host.metric('earshot_asr_reopens_total', { reason: 'engine_lost' })).toBe(1);
  });

  it('goes over to the engine that stands beside its own while that is replaced', async () => {
    const call = newCall(2);
    const pair = await room.open(call);
    for (const sender of pair) sender.start();
    const firsts = await Promise.all(call.channels.map((channel) => room.ready(channel)));
    for (const first of firsts) await until(() => audioTicks(first) > 1600, 'something heard');
    // Host starts it in the place that is one beyond those configured.
    const next = await FakeEngine.start(room.host.runDir, room.host.engines);
    next.transcripts = room.transcripts;
    await until(() => next.connected, 'the worker found it');
    for (const first of firsts) room.engine.giveBack(first, 'ENGINE_DRAINING');
    for (const [i, channel] of call.channels.entries()) {
      await until(() => next.latest(channel) !== undefined, 'opened on the other engine');
      const again = next.latest(channel)!;
      expect(again.attempt).toBeGreaterThan(firsts[i]!.attempt);
      expect(again.outputFromTick).toBeLessThanOrEqual(firsts[i]!.at);
      await until(() => again.at > firsts[i]!.at + 1600, 'life goes on');
      expect(room.engine.latest(channel)).toBe(firsts[i]);
    }
    expect([...room.engine.faults, ...next.faults]).toEqual([]);
    await next.die();
  });

  it('asks a replaced transcripts where to go on, for every channel that is not finished', async () => {
    const call = newCall(2);
    const pair = await room.open(call);
    for (const sender of pair) sender.start();
    const first = await room.ready(call.channels[0]!);
    await until(() => first.at > 8000, 'a second heard');
    const before = room.transcripts;
    await room.transcripts.die();
    room.transcripts = await FakeTranscripts.start(room.host.runDir, before);
    room.engine.transcripts = room.transcripts;
    await until(() => room.transcripts.asked.length >= 2, 'asked for both channels');
    await until(() => room.engine.latest(call.channels[0]!)!.attempt > first.attempt, 'opened again');
    await until(() => room.engine.latest(call.channels[0]!)!.at > first.at + 8000, 'life goes on');
    for (const sender of pair) sender.stop();
    const totals = await room.close(call);
    for (const total of totals) {
      await until(
        () => room.transcripts.settledTick.get(total.channel) === total.endTick,
        'settled to the end',
      );
    }
    expect(room.engine.faults).toEqual([]);
  });

  it('keeps the spool while transcripts has taken all but not committed it', async () => {
    const call = newCall(1, { record: false });
    const channel = call.channels[0]!;
    room.transcripts.holdCommits = true;
    const [sender] = await room.open(call);
    for (let n = 0; n < 20; n++) await sender!.next();
    const [totals] = await room.close(call);
    await until(() => room.engine.latest(channel)?.endTick === totals!.endTick, 'the end on the engine');
    expect(existsSync(room.folderOf(call))).toBe(true);
    room.transcripts.holdCommits = false;
    room.transcripts.settle(channel, totals!.endTick);
    await until(() => !existsSync(room.folderOf(call)), 'the folder gone after the commit');
  });

  it('restores a leg whose file is missing when the gateway lists it, from its blocks and the log', async () => {
    const call = newCall(1);
    const [sender] = await room.open(call);
    sender!.start();
    await until(() => sender!.sent >= 60, 'more than a block');
    sender!.stop();
    await until(() => room.loggedPackets() === sender!.sent, 'all that was sent in the log');
    await room.host.kill();
    rmSync(join(room.folderOf(call), 'leg-0.json'));
    await room.replaceWorker();
    const loads = (): number => room.gateway.reports.filter((report) => report.type === 'load').length;
    const before = loads();
    await until(() => loads() >= before + 3, 'the log tended, before the gateway says what there is');
    expect((await room.gateway.ask({ type: 'leg.sync', legs: [call.leg] })).type).toBe('leg.synced');
    sender!.start();
    await until(() => sender!.sent >= 90, 'life goes on');
    sender!.stop();
    const [totals] = await room.close(call);
    expect(totals).toMatchObject({ packetsReceived: sender!.sent, packetsLost: 0 });
    expect(room.spooled(call, 0).bytes).toEqual(sentBytes(sender!.sent));
    const opening = await room.ready(call.channels[0]!);
    await until(() => opening.endTick === totals!.endTick, 'the end on the engine');
    expect(room.engine.faults).toEqual([]);
  });

  it('takes over, as worker 0, from a worker that an earlier run had beyond the count', async () => {
    const call = newCall(1);
    const [sender] = await room.open(call);
    for (let n = 0; n < 60; n++) await sender!.next();
    await until(() => room.loggedPackets() === 60, 'all that was sent in the log');
    await room.host.kill();
    const legFile = join(room.folderOf(call), 'leg-0.json');
    const record = JSON.parse(readFileSync(legFile, 'utf8')) as object;
    writeFileSync(legFile, JSON.stringify({ ...record, worker: 2 }));
    const wal = join(room.host.dataDir, 'spool', 'wal');
    for (const name of readdirSync(wal)) renameSync(join(wal, name), join(wal, `2${name.slice(1)}`));
    room.host.env = { MEDIA_WORKERS: '2' };
    await room.replaceWorker();
    expect((await room.gateway.ask({ type: 'leg.sync', legs: [] })).type).toBe('leg.synced');
    await until(() => room.transcripts.ended.has(call.channels[0]!), 'the end told');
    expect(room.spooled(call, 0).bytes).toEqual(sentBytes(60));
    await until(() => readdirSync(wal).every((name) => name.startsWith('0-')), 'the other log deleted');
    await until(() => !existsSync(legFile), 'all settled');
    expect(room.engine.faults).toEqual([]);
  });

  it('binds anew when a predecessor left no socket', async () => {
    const call = newCall(1);
    await room.open(call);
    await room.host.kill();
    room.host.lent.clear();
    await room.replaceWorker();
    expect([...room.host.lent.keys()]).toEqual(call.channels);
    const sender = new RtpSender(room.host.portOf(call.channels[0]!));
    room.senders.push(sender);
    await room.gateway.ask({ type: 'leg.sync', legs: [call.leg] });
    for (let n = 0; n < 5; n++) await sender.next();
    const [totals] = await room.close(call);
    expect(totals!.packetsReceived).toBe(5);
  });

  it('feeds an engine that comes late from the files, what the tape has dropped included', async () => {
    const call = newCall(1);
    const channel = call.channels[0]!;
    room.engine.creditAheadTicks = 800;
    room.transcripts.holdCommits = true;
    const [sender] = await room.open(call);
    const opening = await room.ready(channel);
    // 30 s in a burst of which each packet is believed by its timestamp; the tape keeps the last 20.
    for (let n = 0; n < 1500; n++) {
      await sender!.next();
      // A round trip lets the worker read on before the socket's buffer is full.
      if (n % 25 === 24) await room.gateway.ask({ type: 'leg.update', leg: call.leg });
    }
    const [totals] = await room.close(call);
    expect(totals).toMatchObject({ packetsReceived: 1500, packetsLost: 0 });
    room.engine.creditAheadTicks = 80_000;
    await until(() => opening.endTick === totals!.endTick, 'the end, from the files', 30_000);
    expect([...room.heardTicks(channel).values()]).toEqual(
      sentBytes(1500).map((code) => ULAW_TO_LINEAR[code]),
    );
    expect(room.engine.faults).toEqual([]);
  }, 40_000);

  it('goes on from memory when the spool cannot be written', async () => {
    const call = newCall(1);
    const [sender] = await room.open(call);
    const folder = room.folderOf(call);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, 'in the way');
    sender!.start();
    const opening = await room.ready(call.channels[0]!);
    await until(() => audioTicks(opening) > 12_000, 'words go on');
    expect(await room.host.metric('earshot_spool_write_errors_total')).toBeGreaterThan(0);
    sender!.stop();
    const [totals] = await room.close(call);
    expect(totals).toMatchObject({ packetsReceived: sender!.sent, packetsLost: 0 });
  });
});
