import { describe, expect, it } from 'vitest';
import { newCall } from './support/call.ts';
import { sentBytes, useRoom } from './support/room.ts';
import { until } from './support/until.ts';

const room = useRoom();
const native = process.platform === 'linux';

/** Both ways in which a worker's sockets are read, and changes between them: a replacement may be another build. */
const ways = native
  ? ([
      ['native', 'native'],
      ['dgram', 'dgram'],
      ['native', 'dgram'],
      ['dgram', 'native'],
    ] as const)
  : ([['dgram', 'dgram']] as const);

async function restart(reader: string): Promise<void> {
  room.host.env = reader === 'dgram' ? { RTP_READER: 'dgram' } : {};
  await room.replaceWorker();
}

describe('worker and the readers of its sockets', () => {
  it.each(ways)(
    'loses nothing when killed while %s reads and replaced by one where %s does',
    async (before, after) => {
      if (before === 'dgram') {
        await room.host.drain();
        await restart('dgram');
      }
      const call = newCall(2);
      const pair = await room.open(call);
      for (const sender of pair) sender.start();
      await until(() => pair[0]!.sent >= 30, 'packets');
      // What was sent is in the log: the next packet is up to 20 ms away.
      await until(
        () => room.loggedPackets() === pair[0]!.sent + pair[1]!.sent,
        'all that was sent in the log',
      );
      await room.host.kill();
      const killedAt = pair[0]!.sent;
      await until(() => pair[0]!.sent >= killedAt + 25, 'packets while nobody reads');
      await restart(after);
      expect((await room.gateway.ask({ type: 'leg.sync', legs: [call.leg] })).type).toBe('leg.synced');
      await until(() => pair[0]!.sent >= killedAt + 75, 'life goes on');
      for (const sender of pair) sender.stop();
      const totals = await room.close(call);
      for (const [i, sender] of pair.entries()) {
        expect(room.spooled(call, i).bytes).toEqual(sentBytes(sender.sent));
        expect(totals[i]).toMatchObject({ packetsReceived: sender.sent, packetsLost: 0 });
      }
      expect(room.engine.faults).toEqual([]);
    },
    40_000,
  );

  it.skipIf(!native)(
    'loses and doubles no packet, at whatever moment it is killed',
    async () => {
      const call = newCall(20);
      const senders = await room.open(call);
      for (const sender of senders) sender.start();
      for (const afterMs of [0.5, 17.3, 4.1, 9.7, 12.9]) {
        const sent = senders[0]!.sent;
        await until(() => senders[0]!.sent >= sent + 20, 'packets');
        // Somewhere in a turn of 20 ms; nobody waits for the log.
        const atMs = performance.now() + afterMs;
        while (performance.now() < atMs) await new Promise((resolve) => setImmediate(resolve));
        await room.host.kill();
        await room.replaceWorker();
      }
      expect((await room.gateway.ask({ type: 'leg.sync', legs: [call.leg] })).type).toBe('leg.synced');
      for (const sender of senders) sender.stop();
      const totals = await room.close(call);
      for (const [i, sender] of senders.entries()) {
        expect(totals[i]).toMatchObject({
          packetsReceived: sender.sent,
          packetsLost: 0,
          packetsLate: 0,
          packetsDuplicate: 0,
        });
        expect(room.spooled(call, i).bytes).toEqual(sentBytes(sender.sent));
      }
      expect(room.engine.faults).toEqual([]);
    },
    120_000,
  );

  it.skipIf(!native)(
    'accounts for each packet that was sent, also those that the kernel had no room for',
    async () => {
      const call = newCall(1);
      const [sender] = await room.open(call);
      await sender!.next();
      // More than a receive buffer of 1 MiB, which the kernel doubles, has room for: a packet counts some 768 bytes.
      process.kill(room.host.child!.pid!, 'SIGSTOP');
      for (let n = 0; n < 6000; n++) await sender!.next();
      process.kill(room.host.child!.pid!, 'SIGCONT');
      const [totals] = await room.close(call);
      const dropped = await room.host.metric('earshot_rtp_kernel_drops_total');
      expect(dropped).toBeGreaterThan(0);
      expect(totals!.packetsReceived + dropped).toBe(sender!.sent);
    },
    40_000,
  );
});
