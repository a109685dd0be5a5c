import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChannelId, ChannelTotals } from '@earshot/contracts';
import { afterEach, beforeEach, expect } from 'vitest';
import { parseBlocks } from '../../src/spool/block-reader.ts';
import type { TestCall } from './call.ts';
import { FakeEngine, FakeGateway, FakeTranscripts, type Opening } from './fakes.ts';
import { markedPayload, RtpSender } from './rtp.ts';
import { TestHost } from './test-host.ts';
import { until } from './until.ts';
import { readWal } from './wal.ts';

/** A worker process with everything around it, made anew for each test of a file. */
export class Room {
  host!: TestHost;
  gateway!: FakeGateway;
  engine!: FakeEngine;
  transcripts!: FakeTranscripts;
  senders: RtpSender[] = [];

  async start(): Promise<void> {
    this.host = new TestHost();
    this.senders = [];
    this.transcripts = await FakeTranscripts.start(this.host.runDir);
    this.engine = await FakeEngine.start(this.host.runDir);
    this.engine.transcripts = this.transcripts;
    await this.host.start();
    this.gateway = new FakeGateway(this.host.runDir);
  }

  async stop(): Promise<void> {
    this.gateway.close();
    for (const sender of this.senders) await sender.close();
    await this.host.stop();
    await this.engine.die();
    await this.transcripts.die();
  }

  /** Opens the call's leg. @returns a sender for each channel */
  async open(call: TestCall): Promise<RtpSender[]> {
    const answer = await this.gateway.ask({ type: 'leg.open', leg: call.leg });
    expect(answer.type).toBe('leg.opened');
    const made = call.channels.map((channel, i) => new RtpSender(this.host.portOf(channel), 0x5eed + i));
    this.senders.push(...made);
    return made;
  }

  async close(call: TestCall): Promise<readonly ChannelTotals[]> {
    const answer = await this.gateway.ask({ type: 'leg.close', legId: call.leg.legId });
    if (answer.type !== 'leg.closed') throw new Error(JSON.stringify(answer));
    return answer.channels;
  }

  async replaceWorker(): Promise<void> {
    const hellos = this.gateway.hellos;
    await this.host.start();
    await until(() => this.gateway.hellos > hellos, 'hello of the replacement');
  }

  async ready(channel: ChannelId): Promise<Opening> {
    await until(() => this.engine.latest(channel) !== undefined, 'opened on the engine');
    return this.engine.latest(channel)!;
  }

  folderOf(call: TestCall): string {
    return join(this.host.dataDir, 'spool', call.callId);
  }

  /** The payload bytes of a channel's files, in order, and the ticks that they cover. */
  spooled(call: TestCall, index: number): { bytes: number[]; spans: [number, number][] } {
    const folder = this.folderOf(call);
    const bytes: number[] = [];
    const spans: [number, number][] = [];
    const names = readdirSync(folder).filter((each) => each.startsWith(`${index}-`));
    for (const name of names.sort()) {
      const parsed = parseBlocks(readFileSync(join(folder, name)));
      expect(parsed.damaged).toBe(0);
      for (const { block } of parsed.blocks) {
        bytes.push(...block.payload);
        spans.push([block.startTick, block.startTick + block.ticks]);
      }
    }
    return { bytes, spans };
  }

  /** Packets in the worker's log files. */
  loggedPackets(): number {
    let count = 0;
    const folder = join(this.host.dataDir, 'spool', 'wal');
    for (const name of readdirSync(folder)) {
      readWal(readFileSync(join(folder, name)), (record) => {
        if (record.kind === 'packet') count++;
      });
    }
    return count;
  }

  /** The PCM that was heard, each tick once, from the openings of a channel: later openings go over earlier ones. */
  heardTicks(channel: ChannelId): Map<number, number> {
    const heard = new Map<number, number>();
    for (const opening of this.engine.openings.filter((each) => each.channel === channel)) {
      for (const { kind, from, pcm } of opening.heard) {
        if (kind === 'audio') pcm.forEach((sample, i) => heard.set(from + i, sample));
      }
    }
    return heard;
  }
}

/** A room for the tests of the file that calls it. */
export function useRoom(): Room {
  const room = new Room();
  beforeEach(() => room.start());
  afterEach(() => room.stop());
  return room;
}

/** What `count` packets of an RtpSender carry. */
export const sentBytes = (count: number): number[] =>
  Array.from({ length: count }, (_, n) => [...markedPayload(n)]).flat();

export const audioTicks = (opening: Opening): number =>
  opening.heard.filter((each) => each.kind === 'audio').reduce((sum, each) => sum + each.to - each.from, 0);
