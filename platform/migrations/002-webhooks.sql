-- Webhook endpoints (kept by dashboard-api) and their deliveries (kept by post-call).

create table webhooks (
  id          text primary key,
  url         text not null,
  events      text[] not null,
  secret      text not null,              -- whsec_…, Standard Webhooks 1.0.0
  active      boolean not null default true,
  created_at  timestamptz not null default now()
);

create table deliveries (
  id               text primary key,      -- the webhook-id header
  webhook_id       text not null references webhooks (id) on delete cascade,
  seq              bigint not null,
  event            text not null,
  call_id          text not null,
  state            text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
  attempts         jsonb not null default '[]',
  next_attempt_at  timestamptz,
  created_at       timestamptz not null default now()
);
create index deliveries_by_webhook on deliveries (webhook_id, created_at desc);
