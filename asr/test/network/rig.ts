import type { ChannelId, Word } from '@earshot/contracts';
import { createLog, createRegistry } from '@earshot/platform';
import { rmSync } from 'node:fs';
import { REMOTE_TIMES, type RemoteTimes } from '../../src/network/remote-host.ts';
import type { AsrService } from '../../src/server/service.ts';
import { startRemoteAsr } from '../../src/network/service.ts';
import { MediaEnd, WordsEnd, makeRunDir, until } from '../support/rig.ts';
import { wordOf } from './fake-recogniser.ts';

export interface RemoteRig {
  readonly words: WordsEnd;
  readonly media: MediaEnd;
  readonly service: AsrService;
  /** The value of a metric; with a label, of that one. */
  metric(name: string, label?: string): Promise<number>;
  stop(): Promise<void>;
}

export interface RemoteRigOptions {
  readonly key?: string;
  readonly engines?: number;
  readonly times?: Partial<RemoteTimes>;
}

/** An engine by network in this process, with real sockets. */
export async function startRemoteRig(address: string, options: RemoteRigOptions = {}): Promise<RemoteRig> {
  const { key = null, engines = 1, times = {} } = options;
  const runDir = makeRunDir();
  const words = await WordsEnd.listen(runDir);
  const registry = createRegistry('asr-test');
  const service = await startRemoteAsr({
    address,
    key,
    engines,
    runDir,
    instance: 0,
    log: createLog('asr-test', 'silent'),
    registry,
    times: { ...REMOTE_TIMES, ...times },
  });
  const media = new MediaEnd(runDir);
  await until('the links', () => media.up && words.messages.length > 0);
  return {
    words,
    media,
    service,
    metric: async (name, label) => {
      const values = (await registry.getSingleMetric(name)?.get())?.values ?? [];
      const chosen = values.filter(
        ({ labels }) => label === undefined || Object.values(labels).includes(label),
      );
      return chosen.reduce((sum, { value }) => sum + value, 0);
    },
    stop: async () => {
      media.close();
      await service.drain();
      await words.close();
      rmSync(runDir, { recursive: true });
    },
  };
}

/** Waits for a condition that takes asking. */
export async function eventually(
  what: string,
  condition: () => Promise<boolean>,
  limitMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not in ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** What is said on a channel: tones and gaps, and the words that they are. */
export class Script {
  readonly words: { readonly text: string; readonly startTick: number; readonly endTick: number }[] = [];
  readonly audio: { readonly startTick: number; readonly pcm: Int16Array }[] = [];
  endTick: number;

  constructor(startTick = 0) {
    this.endTick = startTick;
  }

  /** Silence that is sent as audio, words of so long with pauses of so long between them, silence again. */
  speech(values: readonly number[], wordMs = 300, pauseMs = 100, hangoverMs = 600): this {
    const parts: Int16Array[] = [new Int16Array(200 * 8)];
    let tick = this.endTick + 200 * 8;
    for (const value of values) {
      parts.push(new Int16Array(wordMs * 8).fill(value), new Int16Array(pauseMs * 8));
      this.words.push({ text: wordOf(value), startTick: tick, endTick: tick + wordMs * 8 });
      tick += (wordMs + pauseMs) * 8;
    }
    parts.push(new Int16Array(hangoverMs * 8));
    const pcm = Int16Array.from(parts.flatMap((part) => [...part]));
    this.audio.push({ startTick: this.endTick, pcm });
    this.endTick += pcm.length;
    return this;
  }

  /** Audio as it is; its words are the caller's business. */
  recording(pcm: Int16Array): this {
    this.audio.push({ startTick: this.endTick, pcm });
    this.endTick += pcm.length;
    return this;
  }

  gap(ms: number): this {
    this.endTick += ms * 8;
    return this;
  }

  get text(): string {
    return this.words.map(({ text }) => text).join(' ');
  }
}

/**
 * Stands where a media worker and transcripts' fence stand: sends a script as credit allows, and when the channel is given back
 * opens it again under the next attempt, a second before what is settled.
 */
export class Speaker {
  readonly channel: ChannelId;
  readonly script: Script;
  attempt = 0;
  lost: string[] = [];
  readonly #rig: Pick<RemoteRig, 'words' | 'media'>;
  readonly #config: { readonly maxDelayMs?: number; readonly vocabulary?: readonly string[] };
  #credit = -1;
  #cursor = 0;
  #endSent = false;
  #lostSeen = 0;
  #settled: number;
  /** Messages of the words link up to here were seen. */
  #seen = 0;
  readonly finals: Word[] = [];
  readonly segments: { readonly segmentId: string; readonly fromTick: number; readonly toTick: number }[] =
    [];
  ended = false;

  constructor(
    rig: Pick<RemoteRig, 'words' | 'media'>,
    channel: ChannelId,
    script: Script,
    config: { readonly maxDelayMs?: number; readonly vocabulary?: readonly string[] } = {},
  ) {
    this.#rig = rig;
    this.channel = channel;
    this.script = script;
    this.#config = config;
    this.#settled = 0;
    this.#open();
  }

  get settledTick(): number {
    return this.#settled;
  }

  get text(): string {
    return this.finals.map(({ text }) => text).join(' ');
  }

  /** Sends up to tick (the end: with the end), as fast as credit allows, through whatever breaks. */
  async play(uptoTick = Infinity, limitMs = 30_000): Promise<void> {
    await until(`${this.channel} to be played`, () => this.#turn(uptoTick), limitMs);
  }

  async finish(limitMs = 30_000): Promise<void> {
    await this.play(Infinity, limitMs);
    await until(`${this.channel} to end`, () => this.#turn(Infinity) && this.ended, limitMs);
  }

  /** Looks at what came. */
  look(): void {
    this.#hear();
  }

  #open(): void {
    this.attempt++;
    const fromTick = Math.max(0, this.#settled - 8000);
    this.#cursor = fromTick;
    this.#credit = -1;
    this.#endSent = false;
    this.#rig.media.send({
      type: 'open',
      channel: this.channel,
      attempt: this.attempt,
      fromTick,
      outputFromTick: this.#settled,
      config: { priority: 'live', ...this.#config },
    });
  }

  #hear(): void {
    const { media, words } = this.#rig;
    for (; this.#seen < words.messages.length; this.#seen++) {
      const message = words.messages[this.#seen]!;
      if (message.type === 'hello' || message.channel !== this.channel) continue;
      if (message.attempt !== this.attempt) continue;
      if (message.type === 'final' && message.fromTick >= this.#settled) {
        this.finals.push(...message.words);
        this.segments.push(message);
        this.#settled = message.toTick;
      } else if (message.type === 'progress') this.#settled = Math.max(this.#settled, message.settledTick);
      else if (message.type === 'ended') this.ended = true;
    }
    for (const message of media.messages.slice(-500)) {
      if (message.type === 'credit' && message.channel === this.channel && message.attempt === this.attempt) {
        this.#credit = Math.max(this.#credit, message.uptoTick);
      }
    }
    const lost = media.lost(this.channel);
    if (lost.length > this.#lostSeen) {
      this.lost = lost.map(({ code }) => code);
      this.#lostSeen = lost.length;
      this.#open();
    }
  }

  #turn(uptoTick: number): boolean {
    this.#hear();
    const { script, channel } = this;
    const { media } = this.#rig;
    const limit = Math.min(uptoTick, script.endTick, this.#credit);
    while (this.#cursor < limit) {
      const part = script.audio.find(({ startTick, pcm }) => startTick + pcm.length > this.#cursor);
      if (part === undefined || part.startTick > this.#cursor) {
        const toTick = Math.min(part?.startTick ?? Infinity, limit, this.#cursor + 2000);
        media.send({ type: 'gap', channel, attempt: this.attempt, toTick });
        this.#cursor = toTick;
        continue;
      }
      const from = this.#cursor - part.startTick;
      const pcm = part.pcm.subarray(from, Math.min(from + 800, limit - part.startTick));
      const startTick = this.#cursor;
      media.send(
        { type: 'audio', channel, attempt: this.attempt, startTick, arrivalUs: startTick * 125 },
        pcm,
      );
      this.#cursor += pcm.length;
    }
    const done = this.#cursor >= Math.min(uptoTick, script.endTick);
    if (done && uptoTick === Infinity && !this.#endSent) {
      this.#endSent = true;
      media.send({ type: 'end', channel, attempt: this.attempt, tick: script.endTick });
    }
    return done;
  }
}
