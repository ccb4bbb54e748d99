-- Which records were purged, by the hash of a random number: of a record that is gone it tells nothing, and one that comes back from a
-- backup is known by it and purged again.
set local role contactpoint_owner;

create table erasure (
    record    bytea primary key check (length(record) = 32),
    erased_on date not null
);
create index erasure_by_day on erasure (erased_on);

create function record_is_erased() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into erasure (record, erased_on) values (sha256(uuid_send(old.child_id)), (now() at time zone 'Europe/London')::date)
    on conflict (record) do update set erased_on = excluded.erased_on;
    return null;
end $$;
revoke execute on function record_is_erased() from public;
create trigger record_is_erased after delete on child for each row execute function record_is_erased();

grant select on erasure to contactpoint_app;

reset role;
