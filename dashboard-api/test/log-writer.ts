import { randomBytes } from 'node:crypto';
import {
  type CallId,
  channelIdOf,
  type ChannelInfo,
  type DiskRecord,
  newCallId,
  type Note,
  type RecordingFacts,
  type RecognitionState,
  type Role,
  segmentIdOf,
  type SegmentView,
  type SpanKind,
  type ToCommands,
  type ToLive,
  type WordView,
} from '@earshot/contracts';
import { Dialer } from '@earshot/platform';
import type pg from 'pg';
import { findCall } from '../src/queries/calls.ts';
import { Database } from '../src/queries/database.ts';

export interface SeedCall {
  /** Names of those who are heard together on the first channel. */
  readonly several?: readonly string[];
  readonly startedAtMs?: number;
  readonly endedAtMs?: number;
  readonly sipCallId?: string;
  readonly externalIds?: Record<string, string>;
  readonly agent?: string;
  readonly customer?: string;
  readonly complete?: boolean;
  readonly recording?: RecordingFacts;
}

type Correction = Extract<ToCommands, { type: 'channel.correct' }>;

export interface Said {
  readonly channel: 0 | 1;
  readonly startMs: number;
  readonly endMs?: number;
  readonly text: string;
  readonly confidence?: (word: string, index: number) => number;
}

const ROLES: readonly Role[] = ['agent', 'customer'];

/** A segment of two-party speech: channel 0 is the agent, 1 the customer. */
export function segmentOf(callId: CallId, said: Said): SegmentView {
  const texts = said.text.split(' ');
  const endMs = said.endMs ?? said.startMs + texts.length * 300;
  const each = (endMs - said.startMs) / texts.length;
  const words: WordView[] = texts.map((text, index) => ({
    text,
    startMs: Math.round(said.startMs + index * each),
    endMs: Math.round(said.startMs + (index + 0.9) * each),
    confidence: said.confidence?.(text, index) ?? 0.9,
  }));
  return {
    id: segmentIdOf(channelIdOf(callId, said.channel), said.startMs * 8),
    channel: said.channel,
    role: ROLES[said.channel] ?? 'unknown',
    startMs: said.startMs,
    endMs,
    text: said.text,
    spoken: said.text.toLowerCase(),
    words,
  };
}

type DataOf = (client: pg.PoolClient) => Promise<unknown>;

/** The events about a call carry the call as it is after them. */
const callData =
  (callId: CallId): DataOf =>
  (client) =>
    findCall(new Database(client as unknown as pg.Pool), callId);

/** Writes the call log and the live bus the way transcripts does. */
export class LogWriter {
  readonly #pool: pg.Pool;
  readonly #bus: Dialer<never, ToLive>;
  #rev = 0;

  constructor(pool: pg.Pool, busPath: string) {
    this.#pool = pool;
    this.#bus = new Dialer(busPath, {
      open: () => undefined,
      message: () => undefined,
      lost: () => undefined,
    });
  }

  get connected(): boolean {
    return this.#bus.connection !== null;
  }

  close(): void {
    this.#bus.close();
  }

  async startCall(seed: SeedCall = {}): Promise<CallId> {
    const startedAtMs = seed.startedAtMs ?? Date.now();
    const callId = newCallId(startedAtMs, randomBytes(10));
    const channels = ROLES.map((role, index) => ({
      channel: channelIdOf(callId, index),
      index,
      role,
      label: String(index + 1),
      codec: index === 0 ? 'PCMU' : 'PCMA',
      participant: {
        name: (index === 0 ? seed.agent : seed.customer) ?? null,
        aor: `sip:${role}@example.test`,
      },
      ...(index === 0 && seed.several !== undefined
        ? { participants: seed.several.map((name) => ({ name, aor: null })) }
        : {}),
      evidence: ['metadata'],
    }));
    const sip = {
      callId: seed.sipCallId ?? `${randomBytes(6).toString('hex')}@sbc.example.test`,
      from: 'sip:src@example.test',
      to: 'sip:srs@example.test',
      transport: 'udp',
      source: '127.0.0.1:5062',
    };
    await this.#inLog(callId, 'call.started', callData(callId), (client) =>
      client.query(
        `insert into calls (id, started_at, dialect, sip, external_ids, channels, worker)
         values ($1, $2, 'siprec-rfc7866', $3, $4, $5, 0)`,
        [callId, new Date(startedAtMs), sip, seed.externalIds ?? {}, JSON.stringify(channels)],
      ),
    );
    if (seed.endedAtMs !== undefined) await this.endCall(callId, seed);
    return callId;
  }

  async endCall(callId: CallId, seed: SeedCall = {}): Promise<void> {
    const endedAt = new Date(seed.endedAtMs ?? Date.now());
    const totals = ROLES.map((_role, index) => ({
      channel: channelIdOf(callId, index),
      endTick: 80_000,
      packetsReceived: 500 + index,
      packetsLost: index,
      packetsLate: 0,
      packetsDuplicate: 0,
      packetsRejected: 0,
    }));
    await this.#inLog(callId, 'call.ended', callData(callId), (client) =>
      client.query(
        `update calls set ended_at = $2, end_reason = 'bye', totals = $3, complete = $4, recording = $5, paused = false
         where id = $1`,
        [callId, endedAt, JSON.stringify(totals), seed.complete ?? true, seed.recording ?? null],
      ),
    );
  }

  async final(callId: CallId, said: Said): Promise<SegmentView> {
    const segment = segmentOf(callId, said);
    await this.#inLog(callId, 'segment.final', { segment }, async (client) => {
      await client.query(
        `insert into segments (id, call_id, channel, idx, from_tick, to_tick, start_tick, end_tick, role, text, spoken, words)
         values ($1, $2, $3, $4, $5, $6, $5, $6, $7, $8, $9, $10)`,
        [
          segment.id,
          callId,
          channelIdOf(callId, segment.channel),
          segment.channel,
          segment.startMs * 8,
          segment.endMs * 8,
          segment.role,
          segment.text,
          segment.spoken,
          JSON.stringify(segment.words),
        ],
      );
      await client.query(
        `update calls set revision = revision + 1, segment_count = segment_count + 1, word_count = word_count + $2
         where id = $1`,
        [callId, segment.words.length],
      );
    });
    return segment;
  }

  partial(callId: CallId, said: Said, options: { attempt?: number; rev?: number } = {}): SegmentView {
    const segment = segmentOf(callId, said);
    this.#rev += 1;
    const [seconds, nanoseconds] = process.hrtime();
    this.#bus.send({
      type: 'partial',
      callId,
      attempt: options.attempt ?? 1,
      rev: options.rev ?? this.#rev,
      segment,
      arrivalUs: Math.round(seconds * 1e6 + nanoseconds / 1e3),
    });
    return segment;
  }

  /**
   * What became of a channel's time, as transcripts writes it.
   * @param fromMs where the spans begin @param spans kinds and lengths in ms @returns where they end
   */
  async ledger(
    callId: CallId,
    channel: 0 | 1,
    fromMs: number,
    spans: readonly (readonly [SpanKind, number])[],
    options: { readonly notes?: readonly Note[]; readonly ended?: boolean } = {},
  ): Promise<number> {
    const toMs = spans.reduce((at, [, ms]) => at + ms, fromMs);
    await this.#pool.query(
      `insert into ledger (call_id, channel, from_tick, to_tick, fill, told_by, spans, notes)
       values ($1, $2, $3, $4, false, 1, $5, $6)`,
      [
        callId,
        channelIdOf(callId, channel),
        fromMs * 8,
        toMs * 8,
        JSON.stringify(spans.map(([kind, ms]) => [kind, ms * 8])),
        JSON.stringify(options.notes ?? []),
      ],
    );
    await this.#pool.query(
      `insert into channels (channel, call_id, idx, committed_tick, end_tick, ledger_tick)
       values ($1, $2, $3, $4, $5, $4)
       on conflict (channel) do update set committed_tick = $4, end_tick = $5, ledger_tick = $4`,
      [channelIdOf(callId, channel), callId, channel, toMs * 8, options.ended === true ? toMs * 8 : null],
    );
    return toMs;
  }

  /** A stream that was promised does not come, or does again. */
  async media(callId: CallId, missing: readonly number[]): Promise<void> {
    const [channel] = missing;
    const alert = { kind: 'no-media', channel, role: ROLES[channel ?? 0], sinceMs: 1000, externalIds: {} };
    const data = channel === undefined ? callData(callId) : alert;
    await this.#inLog(callId, channel === undefined ? 'call.updated' : 'alert.raised', data, (client) =>
      client.query('update calls set media_missing = $2 where id = $1', [callId, JSON.stringify(missing)]),
    );
  }

  /** The disk does not keep the call's audio, or does again. @param alert of the call, when there is one now */
  async disk(callId: CallId, disk: DiskRecord, alert?: 'disk-low' | 'disk-full'): Promise<void> {
    const data =
      alert === undefined
        ? callData(callId)
        : { kind: alert, channel: null, role: null, sinceMs: 0, externalIds: {} };
    await this.#inLog(callId, alert === undefined ? 'call.updated' : 'alert.raised', data, (client) =>
      client.query('update calls set disk = $2 where id = $1', [callId, JSON.stringify(disk)]),
    );
  }

  async pause(callId: CallId, paused: boolean): Promise<void> {
    await this.#inLog(callId, 'call.updated', callData(callId), (client) =>
      client.query('update calls set paused = $2 where id = $1', [callId, paused]),
    );
  }

  /** A call that was recorded first waits for recognition, or does no more. */
  async recognition(callId: CallId, state: RecognitionState): Promise<void> {
    await this.#inLog(callId, 'call.updated', callData(callId), (client) =>
      client.query('update calls set recognition = $2 where id = $1', [callId, state]),
    );
  }

  /** As transcripts corrects who speaks. @returns why not, or null */
  async correct(message: Correction): Promise<'CALL_NOT_FOUND' | 'CHANNEL_NOT_FOUND' | null> {
    const { callId, index, role, participant, by } = message;
    const { rows } = await this.#pool.query<{ channels: ChannelInfo[] }>(
      'select channels from calls where id = $1',
      [callId],
    );
    if (rows[0] === undefined) return 'CALL_NOT_FOUND';
    const { channels } = rows[0];
    const before = channels.find((channel) => channel.index === index);
    if (before === undefined) return 'CHANNEL_NOT_FOUND';
    const after = {
      ...before,
      role,
      score: 1,
      participant: { ...before.participant, ...participant },
      evidence: [...before.evidence, `corrected by ${by}`],
    };
    const changed = JSON.stringify(channels.map((channel) => (channel === before ? after : channel)));
    await this.#inLog(callId, 'call.updated', callData(callId), (client) =>
      client.query('update calls set channels = $2 where id = $1', [callId, changed]),
    );
    const roles = [{ channel: index, before: before.role, after: role }];
    await this.#inLog(callId, 'transcript.revised', { reason: 'correction', by, roles }, async (client) => {
      await client.query('update segments set role = $3 where call_id = $1 and idx = $2', [
        callId,
        index,
        role,
      ]);
      await client.query('update calls set revision = revision + 1 where id = $1', [callId]);
    });
    return null;
  }

  /** SIP messages of a call, each a start line with what follows it; ms from call zero. */
  async trace(callId: CallId, messages: readonly (readonly ['in' | 'out', number, string])[]): Promise<void> {
    for (const [direction, atMs, text] of messages) {
      await this.#pool.query(
        `insert into sip_messages (call_id, at_us, direction, transport, local, remote, text)
         values ($1, $2, $3, 'udp', '192.0.2.1:5060', '192.0.2.7:5062', $4)`,
        [callId, Math.round(atMs * 1000), direction, text],
      );
    }
  }

  /** What post-call's finished recording makes of the call. */
  async recorded(callId: CallId, recording: RecordingFacts): Promise<void> {
    await this.#inLog(callId, 'call.updated', callData(callId), (client) =>
      client.query('update calls set recording = $2 where id = $1', [callId, recording]),
    );
  }

  /** Any event, with the seq taken the way transcripts takes it. @returns the seq */
  event(callId: CallId, type: string, data: Record<string, unknown> = {}): Promise<number> {
    return this.#inLog(callId, type, data, async () => undefined);
  }

  async #inLog(
    callId: CallId,
    type: string,
    data: Record<string, unknown> | DataOf,
    change: (client: pg.PoolClient) => Promise<unknown>,
  ): Promise<number> {
    const client = await this.#pool.connect();
    try {
      await client.query('begin');
      await change(client);
      await client.query('select pg_advisory_xact_lock(7316002)');
      const { rows } = await client.query<{ seq: number; epoch: number }>(
        'update log_state set seq = seq + 1 returning seq, epoch',
      );
      const { seq, epoch } = rows[0]!;
      await client.query(
        `with bumped as (update calls set call_seq = call_seq + 1 where id = $3 returning call_seq)
         insert into events (seq, epoch, call_id, call_seq, type, timestamp, data)
         select $1, $2, $3, call_seq, $4, now(), $5 from bumped`,
        [seq, epoch, callId, type, typeof data === 'function' ? await data(client) : data],
      );
      await client.query('commit');
      this.#bus.send({ type: 'logged', seq });
      return seq;
    } catch (error) {
      await client.query('rollback');
      throw error;
    } finally {
      client.release();
    }
  }
}
