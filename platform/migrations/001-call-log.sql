-- The call log: written by transcripts alone (ARCHITECTURE.md, rule 5).

create table calls (
  id             text primary key,
  started_at     timestamptz not null,
  ended_at       timestamptz,
  end_reason     text,
  dialect        text not null,
  sip            jsonb not null,
  external_ids   jsonb not null,
  channels       jsonb not null,          -- ChannelInfo[] of contracts/call.ts
  totals         jsonb,                   -- ChannelTotals[] of contracts/messages/control.ts
  worker         integer not null,
  complete       boolean not null default false,
  revision       integer not null default 0,
  call_seq       integer not null default 0,
  segment_count  integer not null default 0,
  word_count     integer not null default 0,
  recording      jsonb                    -- {file, bytes, sha256, durationMs}
);
create index calls_by_start on calls (started_at desc, id desc);
create index calls_live on calls (started_at desc) where ended_at is null;
create index calls_external_ids on calls using gin (external_ids);

create table channels (
  channel         text primary key,
  call_id         text not null references calls (id) on delete cascade,
  idx             integer not null,
  attempt         integer not null default 0,
  committed_tick  bigint not null default 0,
  end_tick        bigint
);
create index channels_by_call on channels (call_id);

create table segments (
  id          text primary key,
  call_id     text not null references calls (id) on delete cascade,
  channel     text not null,
  idx         integer not null,
  from_tick   bigint not null,
  to_tick     bigint not null,
  start_tick  bigint not null,            -- of the first word
  end_tick    bigint not null,            -- of the last word
  role        text not null,
  text        text not null,
  spoken      text not null,
  words       jsonb not null,             -- WordView[] of contracts/http.ts
  unique (channel, from_tick)
);
create index segments_in_call_order on segments (call_id, start_tick, idx);
create index segments_words on segments using gin (to_tsvector('simple', spoken));

create table events (
  seq        bigint primary key,
  epoch      integer not null,
  call_id    text not null references calls (id) on delete cascade,
  call_seq   integer not null,
  type       text not null,
  timestamp  timestamptz not null,
  data       jsonb not null,
  unique (call_id, call_seq)
);

-- The counter behind events.seq. Taken under an advisory lock in the transaction that inserts the events, so that
-- commit order is seq order.
create table log_state (
  one    boolean primary key default true check (one),
  epoch  integer not null default 1,
  seq    bigint not null default 0
);
insert into log_state default values;

-- What post-call has to turn into jobs (contracts/jobs.ts); rows go when they are enqueued.
create table outbox (
  id       bigint generated always as identity primary key,
  payload  jsonb not null
);
