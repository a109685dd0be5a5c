import {
  type CallView,
  type ChannelInfo,
  type ChannelTotals,
  type DiskRecord,
  diskStateOf,
  type RecognitionState,
  type RecordingFacts,
  recordingViewOf,
} from '@earshot/contracts';
import type { Database } from './database.ts';
import { decodeCursor, keyTime, type Page, pageOf } from './page.ts';

export interface CallFilter {
  readonly state?: 'live' | 'ended';
  /** Terms, separated by space; each must be found in the words, the participants or the ids. */
  readonly q?: string;
  /** A value of externalIds, whatever its name, or `name:value`. */
  readonly externalId?: string;
  readonly cursor?: string;
  readonly limit: number;
}

interface CallRow {
  readonly key_at: string;
  readonly id: string;
  readonly started_at: Date;
  readonly ended_at: Date | null;
  readonly end_reason: string | null;
  readonly dialect: string;
  readonly sip: CallView['sip'];
  readonly external_ids: Record<string, string>;
  readonly channels: readonly ChannelInfo[];
  readonly totals: readonly ChannelTotals[] | null;
  readonly segment_count: number;
  readonly word_count: number;
  readonly complete: boolean;
  readonly recording: RecordingFacts | null;
  readonly media_missing: readonly number[];
  readonly disk: DiskRecord;
  readonly paused: boolean;
  readonly recognition: RecognitionState;
}

const COLUMNS = `id, ${keyTime('started_at')} as key_at, started_at, ended_at, end_reason, dialect, sip, external_ids,
  channels, totals, segment_count, word_count, complete, recording, media_missing, disk, paused, recognition`;

/** More terms than this would be a sentence, and each is a search of its own. */
const MAX_TERMS = 8;

/** Calls, newest first. @throws EarshotError REQUEST_INVALID on a broken cursor */
export async function listCalls(db: Database, filter: CallFilter): Promise<Page<CallView>> {
  const params: unknown[] = [];
  const param = (value: unknown): string => `$${params.push(value)}`;
  const where: string[] = [];
  if (filter.state === 'live') where.push('ended_at is null');
  if (filter.state === 'ended') where.push('ended_at is not null');
  if (filter.externalId !== undefined) {
    const named = namedIdsOf(filter.externalId).map(
      (id) => `external_ids @> ${param(JSON.stringify(id))}::jsonb`,
    );
    where.push(`(${[hasExternalId(param(filter.externalId)), ...named].join(' or ')})`);
  }
  for (const term of termsOf(filter.q ?? '')) where.push(matchesTerm(param(term), param(likeOf(term))));
  if (filter.cursor !== undefined) {
    const key = decodeCursor(filter.cursor);
    where.push(`(started_at, id) < (${param(key.at)}::timestamptz, ${param(key.id)})`);
  }
  const rows = await db.rows<CallRow>(
    `select ${COLUMNS} from calls c ${where.length === 0 ? '' : `where ${where.join(' and ')}`}
     order by started_at desc, id desc limit ${param(filter.limit + 1)}`,
    params,
  );
  return pageOf(rows, filter.limit, viewOf);
}

export async function findCall(db: Database, id: string): Promise<CallView | null> {
  const row = await db.first<CallRow>(`select ${COLUMNS} from calls where id = $1`, [id]);
  return row === null ? null : viewOf(row);
}

/** Undefined: no such call; null: no recording. */
export async function findRecording(db: Database, id: string): Promise<RecordingFacts | null | undefined> {
  const row = await db.first<Pick<CallRow, 'recording'>>('select recording from calls where id = $1', [id]);
  return row === null ? undefined : row.recording;
}

export async function countLive(db: Database): Promise<{ calls: number; channels: number }> {
  const row = await db.first<{ calls: number; channels: number }>(
    `select count(*)::int as calls, coalesce(sum(jsonb_array_length(channels)), 0)::int as channels
     from calls where ended_at is null`,
  );
  return row ?? { calls: 0, channels: 0 };
}

/** Calls that were recorded first and wait for recognition. The first of the conditions is that of the index. */
export async function countWaiting(db: Database): Promise<{ calls: number; oldestSeconds: number | null }> {
  const row = await db.first<{ calls: number; oldestSeconds: number | null }>(
    `select count(*)::int as calls, extract(epoch from now() - min(started_at))::float as "oldestSeconds"
     from calls where recognition <> 'current' and recognition = 'waiting'`,
  );
  return row ?? { calls: 0, oldestSeconds: null };
}

const termsOf = (q: string): string[] =>
  q
    .split(/\s+/u)
    .filter((term) => term !== '')
    .slice(0, MAX_TERMS);

const likeOf = (term: string): string => `%${term.replace(/[\\%_]/g, '\\$&')}%`;

/** As a JSON path, because that is what the GIN index on external_ids can answer for a value of any name. */
const hasExternalId = (value: string): string =>
  `external_ids @? ('$.* ? (@ == ' || to_jsonb(${value}::text)::text || ')')::jsonpath`;

/** More colons than this have no name and no value before them. */
const MAX_COLONS = 8;

/** What `name:value` may mean, for names and values may have colons, too. Names are in lower case. */
function namedIdsOf(text: string): Record<string, string>[] {
  const parts = text.split(':');
  return parts.slice(1, 1 + MAX_COLONS).map((_, place) => ({
    [parts
      .slice(0, place + 1)
      .join(':')
      .toLowerCase()]: parts.slice(place + 1).join(':'),
  }));
}

/** The term as the beginning of a word that was said, or anywhere in who took part and the ids. */
function matchesTerm(term: string, like: string): string {
  const said = `case when numnode(plainto_tsquery('simple', ${term})) > 0
      then (plainto_tsquery('simple', ${term})::text || ':*')::tsquery end`;
  return `(c.id = ${term}
    or c.id in (select s.call_id from segments s where to_tsvector('simple', s.spoken) @@ (${said}))
    or sip->>'from' ilike ${like} or sip->>'to' ilike ${like} or sip->>'callId' ilike ${like}
    or exists (select from jsonb_array_elements(c.channels) ch,
                 jsonb_array_elements(coalesce(ch->'participants', '[]') || (ch->'participant')) p
               where p->>'name' ilike ${like} or p->>'aor' ilike ${like})
    or exists (select from jsonb_each_text(c.external_ids) e where e.value ilike ${like}))`;
}

function viewOf(row: CallRow): CallView {
  const totals = new Map((row.totals ?? []).map((channel) => [channel.channel as string, channel]));
  return {
    id: row.id,
    state: row.ended_at === null ? 'live' : 'ended',
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at?.toISOString() ?? null,
    endReason: row.end_reason,
    durationMs: row.ended_at === null ? null : Math.max(0, row.ended_at.getTime() - row.started_at.getTime()),
    dialect: row.dialect,
    sip: row.sip,
    externalIds: row.external_ids,
    channels: row.channels.map((channel) => ({
      index: channel.index,
      role: channel.role,
      label: channel.label,
      codec: channel.codec,
      participant: channel.participant,
      ...(channel.participants === undefined ? {} : { participants: [...channel.participants] }),
      evidence: [...channel.evidence],
      score: channel.score ?? null,
      packetsReceived: totals.get(channel.channel)?.packetsReceived ?? null,
      packetsLost: totals.get(channel.channel)?.packetsLost ?? null,
      media: row.media_missing.includes(channel.index) ? 'missing' : 'present',
    })),
    paused: row.paused,
    recognition: row.recognition,
    segmentCount: row.segment_count,
    wordCount: row.word_count,
    complete: row.complete,
    disk: diskStateOf(row.disk),
    recording: row.recording === null ? null : recordingViewOf(row.recording),
  };
}
