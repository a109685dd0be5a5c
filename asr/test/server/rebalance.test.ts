import { type CallId, type ChannelId, channelIdOf } from '@earshot/contracts';
import { rmSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { EngineHost } from '../support/engine-host.ts';
import { LinkFleet } from '../support/link-fleet.ts';
import { Loop } from '../support/recorded.ts';
import { compare } from '../support/recovery.ts';
import { makeRunDir, until } from '../support/rig.ts';
import { speechTape } from '../support/speech.ts';
import { TranscriptsEnd } from '../support/transcripts-end.ts';

const CHANNELS = 40;
/** What the engine keeps of the processor time it needs for all of them. With a tenth it could be taken for dead. */
const KEPT = 0.3;
const MEASURED_S = 4;
/** A stopped process would outlive a test that failed. */
let end: () => Promise<void> = () => Promise.resolve();
afterEach(() => end());

test(
  'channels of an engine whose processor is taken away go to another one, and no word is lost, doubled or changed',
  { timeout: 240_000 },
  async () => {
    const runDir = makeRunDir();
    const loop = new Loop(speechTape());
    const transcripts = await TranscriptsEnd.listen(runDir);
    // Two media workers, which know nothing of each other.
    const fleets = [0, 1].map(
      (worker) => new LinkFleet(runDir, { serving: 1, standby: 1 }, loop, false, worker),
    );
    const host = new EngineHost(runDir, (rows) => fleets.forEach((fleet) => fleet.table(rows)));
    const starving: NodeJS.Timeout[] = [];
    const letRun = (): void => {
      starving.forEach((timer) => clearInterval(timer));
      host.engines.get(0)?.signal('SIGCONT');
    };
    end = async () => {
      letRun();
      fleets.forEach((fleet) => fleet.stop());
      await host.stop();
      await transcripts.close();
      rmSync(runDir, { recursive: true });
    };
    await host.start(0);
    await until('the link', () => transcripts.engines === 1);
    const ids = Array.from({ length: CHANNELS }, (_, i) => channelIdOf('busy' as CallId, i));
    const fleetOf = (id: ChannelId): LinkFleet => fleets[ids.indexOf(id) % 2]!;
    for (const [i, id] of ids.entries()) fleetOf(id).open(id, i * 102_947);
    await host.start(1);
    await until('all on one', () => host.rows.some(({ channels }) => channels === CHANNELS), 60_000);

    const starved = host.engines.get(0)!;
    const cpuOfAll = starved.cpuSecondsSoFar();
    await new Promise((resolve) => setTimeout(resolve, MEASURED_S * 1000));
    const cpuBefore = starved.cpuSecondsSoFar();
    const share = ((cpuBefore - cpuOfAll) / MEASURED_S) * KEPT;
    expect(share).toBeGreaterThan(0);
    const sinceMs = performance.now();
    /** By the processor time it had, not by the clock: on a busy machine a moment to run is not always used. */
    const starve = (): void => {
      const nowMs = performance.now();
      const due = cpuBefore + ((nowMs - sinceMs) / 1000) * share;
      if (starved.cpuSecondsSoFar() >= due) return;
      starved.signal('SIGCONT');
      while (starved.cpuSecondsSoFar() < due && performance.now() < nowMs + 250);
      starved.signal('SIGSTOP');
    };
    starved.signal('SIGSTOP');
    starving.push(setInterval(starve, 500));
    const moved = (): number =>
      fleets.reduce((sum, { reopens }) => sum + (reopens.get('rebalanced') ?? 0), 0);
    const lag = (id: ChannelId): number => fleetOf(id).lagSeconds(id);
    await until('moves', () => moved() > 0, 60_000);
    await until(
      'most of them heard again',
      () => ids.filter((id) => lag(id) < 2).length > CHANNELS / 2,
      90_000,
    );
    letRun();
    await until('all of them heard', () => ids.every((id) => lag(id) < 2), 90_000);
    // One that was moved stays for half a minute, and may be moved once more. None goes to and fro.
    expect(Math.max(...ids.map((id) => transcripts.of(id).resumes))).toBeLessThanOrEqual(2);

    for (const id of ids) fleetOf(id).end(id);
    await until('the ends', () => ids.every((id) => transcripts.of(id).ended), 60_000);
    for (const id of ids.filter((_, i) => i % 4 === 0)) {
      const calm = `calm-${id}` as ChannelId;
      fleetOf(id).again(id, calm);
      await until('the undisturbed run', () => transcripts.of(calm).ended, 60_000);
      const difference = compare(transcripts.of(calm).words, transcripts.of(id).words);
      expect(difference).toEqual({ lost: 0, doubled: 0, changed: 0 });
    }
  },
);
