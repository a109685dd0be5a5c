-- Custom vocabulary, and transcripts that were recognised again.

-- Why the segment ended (Endpoint of contracts/messages/words.ts); null for those of older versions.
alter table segments add column endpoint text;

-- Written by transcripts alone, which pushes them to the engines.
create table vocabulary (
  name        text primary key,
  phrases     jsonb not null,             -- VocabularyPhrase[] of contracts/messages/words.ts
  updated_at  timestamptz not null default now()
);

-- A transcript that a retranscription replaced: part of the call log. The newest is in segments.
create table revisions (
  call_id            text not null references calls (id) on delete cascade,
  revision           integer not null,    -- of the call, when it was replaced
  segments           jsonb not null,      -- SegmentView[] of contracts/http.ts, in call order
  replaced_at        timestamptz not null,
  next_revision      integer not null,    -- what replaced it
  retranscription    text not null unique,
  model              text not null,
  vocabulary         jsonb not null,
  words_changed      integer not null,
  word_error_rate    double precision not null,
  primary key (call_id, revision)
);

-- What was asked for: made by dashboard-api, its state kept by post-call. What came of it is in revisions.
create table retranscriptions (
  id           text primary key,
  call_id      text not null references calls (id) on delete cascade,
  model        text,
  vocabulary   jsonb not null,            -- names
  state        text not null default 'queued' check (state in ('queued', 'running', 'done', 'failed')),
  error        jsonb,                     -- {code, detail}
  created_at   timestamptz not null default now(),
  started_at   timestamptz,
  finished_at  timestamptz
);
create index retranscriptions_by_call on retranscriptions (call_id, created_at desc, id desc);
