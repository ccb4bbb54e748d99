-- What must end: when a record is archived, who still opens it, what holds it back, and what is left after its purge.
set local role contactpoint_owner;

-- The same day of a later year; 1 March for 29 February in a year that has none.
create function anniversary(day date, years int) returns date
    language sql immutable strict parallel safe as $$
    select (day + make_interval(years => years))::date
        + case when to_char(day, 'MMDD') = '0229' and to_char(day + make_interval(years => years), 'MMDD') = '0228' then 1 else 0 end
$$;

-- Since when a record is archived on a day, whether or not the task of that day has run; nothing where it is not.
create function archived_since(status text, archived_on date, archives_on date, day date) returns date
    language sql immutable parallel safe as $$
    select case when status = 'archived' then archived_on when status = 'active' and archives_on <= day then archives_on end
$$;

-- Whether somebody opens a record that is archived since `since`: for a year the stewards of the authority that answers for it,
-- then for five years the archive reviewer, then nobody.
create function is_open_archive(since date, responsible uuid, viewer_role text, viewer_organisation uuid, day date) returns boolean
    language sql immutable parallel safe as $$
    select coalesce(case
        when viewer_role = 'steward' then responsible = viewer_organisation and day < anniversary(since, 1)
        when viewer_role = 'archiveReviewer' then day >= anniversary(since, 1) and day < anniversary(since, 6)
    end, false)
$$;

create index child_without_archive_day on child (child_id) where status = 'active' and archives_on is null;
create index child_by_archival on child (archived_on) where status = 'archived';
create index flag_by_expiry on flag (expires_on) where cleared_at is null;

-- What keeps a record from being purged: for two years at a time, and for as long again when it is renewed.
create table legal_hold (
    hold_id    uuid primary key,
    child_id   uuid not null references child,
    ground     text not null check (ground in ('courtOrder', 'inquiry', 'litigation', 'policeInvestigation')),
    held_from  date not null,
    -- The day at whose beginning it ends.
    held_until date not null check (held_until >= held_from),
    -- The day on which its end was last said.
    said_on    date not null,
    placed_by  uuid not null references account,
    placed_at  timestamptz not null,
    version    bigint not null default 1,
    constraint legal_hold_two_years_at_a_time check (held_until <= anniversary(greatest(held_from, said_on), 2))
);
create index legal_hold_by_child on legal_hold (child_id);
create index legal_hold_by_end on legal_hold (held_until);

-- Whether a record is under a hold on a day.
create function is_held(child uuid, day date) returns boolean
    language sql stable parallel safe as $$
    select exists (select from legal_hold h where h.child_id = child and h.held_from <= day and h.held_until > day)
$$;

-- The day from which a record archived on `archived` may be purged: six years after, not counting the days under a hold.
create function purge_due_on(child uuid, archived date) returns date
    language plpgsql stable parallel safe as $$
declare
    due     date := anniversary(archived, 6);
    counted date := archived;
    hold    record;
begin
    for hold in select held_from, held_until from legal_hold h where h.child_id = child order by held_from, held_until loop
        counted := greatest(counted, hold.held_from);
        exit when counted >= due;
        if hold.held_until > counted then
            due := due + (hold.held_until - counted);
            counted := hold.held_until;
        end if;
    end loop;
    return due;
end $$;

-- A purge is proposed by one person and approved by another; what it reaches stands beside it until it is gone.
create table purge (
    purge_id    uuid primary key,
    due_on      date not null,
    proposed_by uuid not null references account,
    proposed_at timestamptz not null,
    approved_by uuid references account,
    approved_at timestamptz,
    status      text not null check (status in ('proposed', 'approved', 'done')),
    proposed    bigint not null default 0,
    purged      bigint not null default 0,
    kept        bigint not null default 0,
    done_at     timestamptz,
    version     bigint not null default 1,
    constraint purge_approved_by_another check (approved_by <> proposed_by),
    constraint purge_is_approved check ((status = 'proposed') = (approved_by is null)),
    constraint purge_is_done check ((status = 'done') = (done_at is not null))
);
create index purge_by_time on purge (proposed_at, purge_id);

create table purge_child (
    child_id uuid primary key references child,
    purge_id uuid not null references purge
);
create index purge_child_by_purge on purge_child (purge_id);

-- A purge as the API tells it.
create function purge_told(p purge) returns json
    language sql stable parallel safe as $$
    select json_strip_nulls(json_build_object('id', p.purge_id, 'dueOn', p.due_on, 'status', p.status, 'proposed', p.proposed, 'purged', p.purged,
        'kept', p.kept, 'proposedBy', p.proposed_by, 'proposedAt', p.proposed_at, 'approvedBy', p.approved_by,
        'approvedAt', p.approved_at, 'version', p.version))
$$;

-- What was purged, by keyed hashes of its names with its birth and of its identifiers.
create table purged (
    hash      bytea primary key,
    purged_on date not null
);

-- Purges a child by an approved purge that reaches it, if it is due and under no hold on that day: deletes every row of the
-- child in every table, and keeps the hashes. Says whether it did; a child that is kept is out of the purge.
create function purge_child(child uuid, purge uuid, day date, hashes bytea[]) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gone      child%rowtype;
    rows_of   regclass;
    keys      text[] := '{}';
    key       text;
    found_ids text[];
    left_over int;
begin
    select * into gone from child c where c.child_id = purge_child.child for update;
    perform from purge p join purge_child x on x.purge_id = p.purge_id
    where p.purge_id = purge_child.purge and p.status = 'approved' and x.child_id = purge_child.child;
    if not found or gone.child_id is null then
        raise exception 'no approved purge reaches this child' using errcode = 'P0001';
    end if;
    if gone.status <> 'archived' or purge_due_on(child, gone.archived_on) > day or is_held(child, day) then
        delete from purge_child x where x.child_id = purge_child.child;
        return false;
    end if;

    for rows_of, key in
        select c.oid::regclass, k.attname from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'child_id'
        join pg_index i on i.indrelid = c.oid and i.indisprimary and i.indnkeyatts = 1
        join pg_attribute k on k.attrelid = c.oid and k.attnum = i.indkey[0] and k.atttypid = 'uuid'::regtype
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    loop
        execute format('select coalesce(array_agg(%I::text), ''{}'') from %s where child_id = $1', key, rows_of)
            into found_ids using child;
        keys := keys || found_ids;
    end loop;
    delete from notice n where n.about like '%' || gone.index_number || '%'
        or exists (select from unnest(keys) k where n.about like '%' || k || '%');

    for pass in 1..8 loop
        left_over := 0;
        for rows_of in
            select c.oid::regclass from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attname = 'child_id' and not a.attisdropped
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.oid <> 'child'::regclass
        loop
            begin
                execute format('delete from %s where child_id = $1', rows_of) using child;
            exception when foreign_key_violation then
                left_over := left_over + 1;
            end;
        end loop;
        exit when left_over = 0;
    end loop;
    delete from child c where c.child_id = purge_child.child;

    -- The person goes with the last record, unless others are said to resemble that person.
    if gone.person_id is not null and not exists (select from child c where c.person_id = gone.person_id)
        and not exists (select from shield_request s where s.resembles = gone.person_id) then
        delete from distinct_persons d where gone.person_id in (d.one, d.other);
        delete from person p where p.person_id = gone.person_id;
    end if;
    insert into purged (hash, purged_on) select unnest(hashes), day on conflict do nothing;
    return true;
end $$;

revoke execute on function anniversary(date, int), archived_since(text, date, date, date),
    is_open_archive(date, uuid, text, uuid, date), is_held(uuid, date),
    purge_due_on(uuid, date), purge_told(purge), purge_child(uuid, uuid, date, bytea[]) from public;
grant execute on function anniversary(date, int), archived_since(text, date, date, date),
    is_open_archive(date, uuid, text, uuid, date), is_held(uuid, date),
    purge_due_on(uuid, date), purge_told(purge), purge_child(uuid, uuid, date, bytea[]) to contactpoint_app;
grant select, insert on legal_hold, purge, purge_child to contactpoint_app;
grant select on purged to contactpoint_app;
grant update (held_until, said_on, version) on legal_hold to contactpoint_app;
grant update (approved_by, approved_at, status, purged, kept, done_at, version) on purge to contactpoint_app;

reset role;
