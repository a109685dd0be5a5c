-- What became of each tick of a channel, as media workers told it, and streams that were promised and do not come.

-- Append-only. contracts/src/ledger-fold.ts says how rows are read: in order of id.
create table ledger (
  id         bigint generated always as identity primary key,
  call_id    text not null references calls (id) on delete cascade,
  channel    text not null,
  from_tick  bigint not null,
  to_tick    bigint not null,
  fill       boolean not null,            -- counts only where nobody else said anything
  told_by    integer not null,            -- pid of the media worker
  spans      jsonb not null,              -- [[SpanKind, ticks], …] of contracts/src/ledger.ts
  notes      jsonb not null               -- Note[] of contracts/src/ledger.ts
);
create index ledger_by_call on ledger (call_id, id);

-- Up to there the ledger has no hole.
alter table channels add column ledger_tick bigint not null default 0;

-- Indices of the channels that were promised and bring no packets.
alter table calls add column media_missing jsonb not null default '[]';
