-- How recognition goes with a call: RecognitionState of contracts/src/call.ts.
alter table calls add column recognition text not null default 'current';
-- Those that wait are few, and are counted often.
create index calls_recognition on calls (started_at) where recognition <> 'current';
