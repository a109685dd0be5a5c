-- Calls of which nothing is kept or recognised for now.
alter table calls add column paused boolean not null default false;
