-- What was answered is told no more once the record it is about is, and the records that a shielded one resembles are told only
-- while they are in use.
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

-- A request for a shield as it is told on a day.
create function shield_request_told_on(day date)
    returns table (shield_request_id uuid, child_id uuid, person_id uuid, asked_by uuid, asked_at timestamptz, status text,
                   responsible_authority_id uuid, child_status text, archives_on date, told json)
    language sql stable parallel safe as $$
    select r.shield_request_id, r.child_id, c.person_id, r.asked_by, r.asked_at, r.status,
           c.responsible_authority_id, c.status, c.archives_on,
           json_strip_nulls(json_build_object(
               'id', r.shield_request_id,
               'indexNumber', c.index_number,
               'ground', r.ground,
               'emergency', r.emergency,
               'status', r.status,
               'resembles', case when r.resembles is not null then coalesce((
                   select json_agg(t.index_number order by t.index_number) from child t
                   where t.person_id = r.resembles and in_use(t.status, t.archives_on, day) and t.child_id <> r.child_id), '[]') end,
               'askedBy', r.asked_by,
               'askedAt', r.asked_at,
               'confirmBy', r.confirm_by,
               'decidedBy', r.decided_by,
               'decidedAt', r.decided_at,
               'reviewOn', r.review_on,
               'closedBy', r.closed_by,
               'closedAt', r.closed_at,
               'version', r.version
           ))
    from shield_request r
    join child c on c.child_id = r.child_id
$$;
revoke execute on function shield_request_told_on(date) from public;
grant execute on function shield_request_told_on(date) to contactpoint_app;

reset role;
