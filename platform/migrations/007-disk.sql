-- What the disk did to the audio of calls: DiskRecord of contracts/src/disk.ts.
alter table calls add column disk jsonb not null default '{"low": false, "failing": [], "failed": false}';
