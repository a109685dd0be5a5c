-- SIP traces, and what people corrected.

-- The SIP messages of a call, without secrets (contracts/src/trace.ts): the first and the last of them. Written by transcripts alone.
create table sip_messages (
  call_id    text not null references calls (id) on delete cascade,
  at_us      bigint not null,             -- from call zero
  direction  text not null check (direction in ('in', 'out')),
  transport  text not null,
  local      text,
  remote     text,
  text       text not null,
  omitted    integer not null default 0,  -- messages left out before this one
  primary key (call_id, at_us)
);

-- Who speaks on a channel as a person said it: ChannelCorrection[] of transcripts/src/assemble/corrections.ts. channels follow it.
alter table calls add column corrections jsonb not null default '[]';
