import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ULAW_TO_LINEAR } from '@earshot/contracts';
import { describe, expect, it } from 'vitest';
import { newCall } from './support/call.ts';
import { audioTicks, sentBytes, useRoom } from './support/room.ts';
import { rtpBytes, RtpSender } from './support/rtp.ts';
import { until } from './support/until.ts';

const room = useRoom();

describe('media worker', () => {
  it('takes a leg, feeds an engine what was said, and ends with exact totals', async () => {
    const call = newCall(2);
    const [first, second] = await room.open(call);
    first!.start();
    second!.start();
    await until(() => first!.sent >= 100 && second!.sent >= 100, '2 s of speech');
    first!.stop();
    second!.stop();
    const closed = await room.gateway.ask({ type: 'leg.close', legId: call.leg.legId });
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
      expect(room.spooled(call, i).bytes).toEqual(sentBytes(sender.sent));
      const opening = await room.ready(channel);
      await until(() => opening.endTick !== null, 'end on the engine');
      expect(opening.endTick).toBe(totals.endTick);
      expect(audioTicks(opening)).toBe(sender.sent * 160);
      const pcm = opening.heard.filter((each) => each.kind === 'audio').flatMap((each) => [...each.pcm]);
      expect(pcm).toEqual(sentBytes(sender.sent).map((code) => ULAW_TO_LINEAR[code]));
      await until(() => room.transcripts.ended.get(channel) === totals.endTick, 'ended told');
    }
    expect(room.engine.faults).toEqual([]);
    const legFile = join(room.host.dataDir, 'spool', call.callId, 'leg-0.json');
    await until(() => !existsSync(legFile), 'leg file gone when all is committed');
    expect(room.host.returned.toSorted()).toEqual([...call.channels].toSorted());
  });

  it('counts garbage, foreign sources, RTCP and unknown payloads by reason, and takes none of them', async () => {
    const call = newCall(1);
    const [sender] = await room.open(call);
    const stranger = new RtpSender(room.host.portOf(call.channels[0]!), 99);
    room.senders.push(stranger);
    await sender!.next();
    await until(() => room.host.lent.size > 0, 'sockets');
    await sender!.raw(Buffer.from('not RTP at all'));
    await sender!.raw(Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0]));
    await sender!.raw(
      rtpBytes({ sequence: 65_501, timestamp: 1, ssrc: 0x5eed, payloadType: 101, payload: Buffer.alloc(4) }),
    );
    for (let n = 0; n < 3; n++) await stranger.next();
    sender!.sent = 2;
    await sender!.next();
    const [totals] = await room.close(call);
    expect(totals).toMatchObject({ packetsReceived: 2, packetsLost: 0, packetsRejected: 6 });
    const counts = Object.fromEntries(
      await Promise.all(
        ['garbage', 'rtcp', 'payload_type', 'source'].map(async (reason) => [
          reason,
          await room.host.metric('earshot_rtp_packets_rejected_total', { reason }),
        ]),
      ),
    ) as Record<string, number>;
    expect(counts).toEqual({ garbage: 1, rtcp: 1, payload_type: 1, source: 3 });
  });

  it('moves a held channel on by the clock, tells the engine, and does not time it out', async () => {
    const held = newCall(1, { rtpTimeoutS: 1 }, { state: 'held' });
    const silent = newCall(1, { rtpTimeoutS: 1 });
    await room.open(held);
    await room.open(silent);
    const opening = await room.ready(held.channels[0]!);
    await until(() => opening.at > 8000, 'a second of silence told');
    expect(opening.heard.every((each) => each.kind === 'gap')).toBe(true);
    await until(() => room.gateway.reports.some((report) => report.type === 'leg.timeout'), 'a time-out');
    const timedOut = room.gateway.reports.filter((report) => report.type === 'leg.timeout');
    expect(timedOut).toEqual([{ type: 'leg.timeout', legId: silent.leg.legId }]);
    const [totals] = await room.close(held);
    expect(totals!.endTick).toBeGreaterThan(8000);
    await until(() => opening.endTick === totals!.endTick, 'end');
  });

  it('listens to another source after the leg was updated with another remote', async () => {
    const call = newCall(1, {}, { remote: { address: '127.0.0.1', port: 1 } });
    const [sender] = await room.open(call);
    for (let n = 0; n < 5; n++) await sender!.next();
    const channels = call.leg.channels.map((each) => ({
      ...each,
      remote: { address: '127.0.0.1', port: 2 },
    }));
    const answer = await room.gateway.ask({ type: 'leg.update', leg: { ...call.leg, channels } });
    expect(answer.type).toBe('leg.updated');
    const other = new RtpSender(room.host.portOf(call.channels[0]!), 77);
    room.senders.push(other);
    for (let n = 0; n < 5; n++) await other.next();
    const [totals] = await room.close(call);
    expect(totals).toMatchObject({ packetsReceived: 10, packetsRejected: 0 });
  });

  it('answers orders that it cannot follow with a code', async () => {
    const call = newCall(1);
    await room.open(call);
    const unknown = newCall(1);
    const failures = [
      await room.gateway.ask({ type: 'leg.open', leg: call.leg }),
      await room.gateway.ask({ type: 'leg.close', legId: unknown.leg.legId }),
      await room.gateway.ask({ type: 'leg.update', leg: unknown.leg }),
    ];
    room.host.refuse = true;
    failures.push(await room.gateway.ask({ type: 'leg.open', leg: unknown.leg }));
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
    await room.open(kept);
    await room.open(dropped);
    const answer = await room.gateway.ask({ type: 'leg.sync', legs: [kept.leg, lacking.leg] });
    expect(answer.type).toBe('leg.synced');
    expect(room.host.returned).toEqual(dropped.channels);
    expect([...room.host.lent.keys()].toSorted()).toEqual([...kept.channels, ...lacking.channels].toSorted());
    await until(() => room.transcripts.ended.has(dropped.channels[0]!), 'its end told');
  });

  it.each(['leg.close', 'leg.sync'] as const)(
    'gives up a leg that %s ends while it is opened',
    async (type) => {
      const call = newCall(2);
      room.host.heldLends = [];
      const opened = room.gateway.ask({ type: 'leg.open', leg: call.leg });
      await until(() => room.host.heldLends?.length === 2, 'the open under way');
      const { legId } = call.leg;
      const answer = await room.gateway.ask(type === 'leg.close' ? { type, legId } : { type, legs: [] });
      if (answer.type === 'leg.closed') expect(answer.channels).toEqual([]);
      else expect(answer.type).toBe('leg.synced');
      // The gateway changes its mind while the sockets are still on their way.
      const again = room.gateway.ask({ type: 'leg.sync', legs: [call.leg] });
      room.host.release();
      expect(await opened).toMatchObject({ type: 'leg.failed', legId });
      expect((await again).type).toBe('leg.synced');
      expect(room.gateway.failures).toEqual([]);
      expect(room.host.returned.toSorted()).toEqual([...call.channels].toSorted());
      expect([...room.host.lent.keys()].toSorted()).toEqual([...call.channels].toSorted());
      await until(() => room.transcripts.asked.length >= 2, 'asked for the second opening');
      expect(room.transcripts.asked.map(({ channel }) => channel).toSorted()).toEqual(
        [...call.channels].toSorted(),
      );
      await room.close(call);
    },
  );

  it('never asks for an attempt of a leg that was closed while it was opened', async () => {
    const call = newCall(1);
    room.host.heldLends = [];
    const opened = room.gateway.ask({ type: 'leg.open', leg: call.leg });
    await until(() => room.host.heldLends?.length === 1, 'the open under way');
    expect(await room.close(call)).toEqual([]);
    room.host.release();
    expect((await opened).type).toBe('leg.failed');
    const other = newCall(1);
    await room.open(other);
    await until(() => room.transcripts.asked.length > 0, 'asked for the other call');
    expect(room.transcripts.asked.map(({ channel }) => channel)).toEqual(other.channels);
    expect(existsSync(room.folderOf(call))).toBe(false);
    expect(room.host.returned).toEqual(call.channels);
  });

  it('tells which leg of a sync it could not open', async () => {
    const lacking = newCall(1);
    room.host.refuse = true;
    expect((await room.gateway.ask({ type: 'leg.sync', legs: [lacking.leg] })).type).toBe('leg.synced');
    expect(room.gateway.failures).toMatchObject([{ legId: lacking.leg.legId, code: 'RTP_PORTS_EXHAUSTED' }]);
  });

  it('ends a channel that never received anything', async () => {
    const call = newCall(1);
    await room.open(call);
    const [totals] = await room.close(call);
    expect(totals).toMatchObject({ packetsReceived: 0 });
    await until(() => room.transcripts.ended.get(call.channels[0]!) === totals!.endTick, 'its end told');
    await until(() => !existsSync(join(room.folderOf(call), 'leg-0.json')), 'all settled');
  });
});
