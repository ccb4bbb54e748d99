-- What is sealed, a hash or packed for the matcher tells PostgreSQL's planner nothing: nobody asks for rows by it, except for those whose hash is the same.
-- So it is left out when a table is analysed, which otherwise takes longest over just these, each time that a table has grown by a tenth, while others look.
set local role contactpoint_owner;

alter table carer alter column sealed set statistics 0;
alter table contact_request alter column sealed set statistics 0;
alter table feed_row alter column sent set statistics 0, alter column hash set statistics 0;
alter table history alter column sealed set statistics 0, alter column was set statistics 0;
alter table idempotency alter column sealed set statistics 0, alter column answer set statistics 0;
alter table information_request alter column sealed set statistics 0;
alter table match_entry alter column packed set statistics 0;
alter table review_task alter column sent set statistics 0;
alter table sensitive_history alter column sealed set statistics 0;
alter table sensitive_involvement alter column sealed set statistics 0;
alter table source_record alter column sent set statistics 0, alter column hash set statistics 0;
alter table watch_state alter column sealed set statistics 0;
alter table whereabouts alter column sealed set statistics 0;

reset role;
