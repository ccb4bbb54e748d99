-- What was answered is told no more once the record it is about is.
set local role contactpoint_owner;

-- Whether what was answered about a child may be told again: not once the identity has ended, and not where the record has been
-- archived since.
create function answer_stands(child uuid, answered timestamptz, day date) returns boolean
    language sql stable parallel safe as $$
    select coalesce((
        select c.status <> 'retired'
           and coalesce((answered at time zone 'Europe/London')::date >= archived_since(c.status, c.archived_on, c.archives_on, day), true)
        from child c where c.child_id = child), false)
$$;
revoke execute on function answer_stands(uuid, timestamptz, date) from public;
grant execute on function answer_stands(uuid, timestamptz, date) to contactpoint_app;

-- A record that was taken back into use is told whole by the answer to that, which a shield hides too.
create or replace function forget_answers() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update idempotency set answer = null, sealed = null
    where child_id = new.child_id and operation in ('add_child', 'add_carer', 'add_involvement', 'restore_record');
    return null;
end $$;

-- With the record goes where to look.
create function forget_all_answers() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update idempotency set answer = null, sealed = null, location = null
    where child_id = new.child_id
      and (new.status = 'retired' or (created_at at time zone 'Europe/London')::date < new.archived_on);
    return null;
end $$;
create trigger child_answers_forgotten_with_the_record after update of status on child
    for each row when (new.status <> 'active' and old.status <> new.status) execute function forget_all_answers();
revoke execute on function forget_all_answers() from public;

reset role;
