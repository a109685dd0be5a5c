import { mutate, Random } from '../srtp/mutate.ts';
import { buildReport } from './build.ts';
import { parseRtcp } from './parse.ts';

export interface FuzzResult {
  readonly packets: number;
  /** Datagrams that were read. */
  readonly taken: number;
}

/** Damaged RTCP datagrams. What is read keeps to its ranges. @throws Error that names the packet where it does not */
export function fuzzRtcp(seed: number, count: number): FuzzResult {
  const random = new Random(seed);
  let taken = 0;
  for (let n = 0; n < count; n++) {
    const whole = newDatagram(random);
    const read = parseRtcp(random.below(16) === 0 ? whole : mutate(whole, random));
    if (read.kind === 'malformed') continue;
    taken++;
    for (const packet of read.packets) {
      if (packet.type !== 'sender-report' && packet.type !== 'receiver-report') continue;
      const sound = packet.reports.every(
        ({ ssrc, cumulativeLost, fractionLost }) =>
          ssrc === ssrc >>> 0 && Math.abs(cumulativeLost) <= 0x800000 && fractionLost <= 255,
      );
      if (!sound || packet.reports.length > 31)
        throw new Error(`packet ${n} of seed ${seed} is out of range`);
      if (packet.type === 'sender-report' && !Number.isSafeInteger(packet.ntpUs)) {
        throw new Error(`packet ${n} of seed ${seed} has a time that is none`);
      }
    }
  }
  return { packets: count, taken };
}

/** One or two datagrams of ours after another, sometimes with a sender report in front. */
function newDatagram(random: Random): Uint8Array<ArrayBuffer> {
  const reports = Array.from({ length: random.below(4) }, () => ({
    ssrc: random.next(),
    fractionLost: random.below(256),
    cumulativeLost: random.below(0x1000000) - 0x800000,
    highest: random.next(),
    jitter: random.next(),
    lastSenderReport: random.next(),
    delaySinceLastSenderReport: random.next(),
  }));
  const report = buildReport({
    ssrc: random.next(),
    reports,
    cname: 'x'.repeat(random.below(40)),
    ...(random.below(2) === 0 ? { referenceUs: 3.9e15 + random.next() } : {}),
    bye: random.below(3) === 0,
  });
  if (random.below(2) === 0) return report;
  const sender = new Uint8Array(28 + report.length);
  random.fill(sender.subarray(0, 28));
  sender.set([0x80, 200, 0, 6]);
  sender.set(report, 28);
  return sender;
}
