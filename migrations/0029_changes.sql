-- What has changed, in the order in which readers are told, and who is told of it by webhook.
set local role contactpoint_owner;

-- A change of a child: one row for each child and kind of fact in a transaction, whatever path writes it. A transaction is told
-- once every one that began to write before it has ended, so that nothing comes in before what was told already. A row holds no
-- fact, and is made only of children whom others see: what is done under a shield or in the archive leaves none.
create table change (
    xid             xid8 not null default pg_current_xact_id(),
    position        bigint generated always as identity,
    child_id        uuid not null,
    kind            text not null check (kind in ('added', 'child', 'whereabouts', 'identifiers', 'carers', 'involvements', 'flags', 'standing')),
    -- Of an involvement or its flags: whose. Of a record that went to another authority: which one had it.
    organisation_id uuid,
    -- Of a sensitive service: for its own organisation alone.
    hidden          boolean not null default false,
    at              timestamptz not null default now(),
    primary key (xid, position),
    constraint change_once unique nulls not distinct (child_id, xid, kind, organisation_id, hidden)
);
create index change_by_time on change (at);

-- How far something has come: what was forgotten, what webhooks were told.
create table change_cursor (
    name     text primary key check (name in ('forgotten', 'webhooks')),
    xid      xid8 not null,
    position bigint not null
);
insert into change_cursor (name, xid, position) values ('forgotten', '0', 0), ('webhooks', '0', 0);

-- Whether others than stewards and reviewers see all that is seen of a record.
create function is_told(status text, shielded boolean) returns boolean
    language sql immutable parallel safe as $$ select status = 'active' and not shielded $$;

-- Notes a change of a child who is told of and was not added just now.
create function note_change(child uuid, of_kind text, organisation uuid, is_hidden boolean) returns void
    language sql security definer set search_path = public, pg_temp as $$
    insert into change (child_id, kind, organisation_id, hidden)
    select c.child_id, of_kind, organisation, is_hidden
    from child c
    where c.child_id = child and is_told(c.status, c.shielded)
      and not exists (select from change x where x.child_id = child and x.xid = pg_current_xact_id() and x.kind = 'added')
    on conflict do nothing
$$;

create function note_child_added() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- Facts of the same statement may have been noted before it.
    delete from change x using new_rows n where x.child_id = n.child_id and x.xid = pg_current_xact_id();
    insert into change (child_id, kind) select n.child_id, 'added' from new_rows n;
    return null;
end $$;
create trigger change_added after insert on child
    referencing new table as new_rows for each statement execute function note_child_added();

-- A record that is told of no more, or again, says only that: what else the transaction did to it is not told beside it. Whoever
-- adds a record that is shielded at once is told that it was added, like any other.
create function note_child_changed() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    was boolean := is_told(old.status, old.shielded);
begin
    if was <> is_told(new.status, new.shielded) then
        delete from change x where x.child_id = new.child_id and x.xid = pg_current_xact_id() and x.kind not in ('added', 'standing');
        insert into change (child_id, kind)
        select new.child_id, 'standing'
        where not exists (select from change x where x.child_id = new.child_id and x.xid = pg_current_xact_id() and x.kind = 'added')
        on conflict do nothing;
    elsif old.status = 'merged' and new.status = 'merged' and not new.shielded and old.merged_into <> new.merged_into then
        insert into change (child_id, kind) values (new.child_id, 'standing') on conflict do nothing;
    elsif was then
        perform note_change(new.child_id, 'child', null, false);
        if old.responsible_authority_id <> new.responsible_authority_id then
            perform note_change(new.child_id, 'standing', old.responsible_authority_id, false);
        end if;
    end if;
    return null;
end $$;
create trigger change_of_child after update on child
    for each row when (
        (old.status, old.shielded, old.date_of_birth, old.date_of_birth_precision, old.date_of_birth_estimated, old.gender,
         old.without_service, old.responsible_authority_id, old.died_on, old.merged_into)
        is distinct from
        (new.status, new.shielded, new.date_of_birth, new.date_of_birth_precision, new.date_of_birth_estimated, new.gender,
         new.without_service, new.responsible_authority_id, new.died_on, new.merged_into))
    execute function note_child_changed();

-- Facts that are new, many at a time.
create function note_facts_added() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into change (child_id, kind)
    select distinct n.child_id, tg_argv[0]
    from new_rows n
    join child c on c.child_id = n.child_id
    where is_told(c.status, c.shielded)
      and not exists (select from change x where x.child_id = n.child_id and x.xid = pg_current_xact_id() and x.kind = 'added')
    on conflict do nothing;
    return null;
end $$;
create trigger change_added after insert on child_name
    referencing new table as new_rows for each statement execute function note_facts_added('child');
create trigger change_added after insert on whereabouts
    referencing new table as new_rows for each statement execute function note_facts_added('whereabouts');
create trigger change_added after insert on child_identifier
    referencing new table as new_rows for each statement execute function note_facts_added('identifiers');
create trigger change_added after insert on carer
    referencing new table as new_rows for each statement execute function note_facts_added('carers');

create function note_involvements_added() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into change (child_id, kind, organisation_id, hidden)
    select distinct n.child_id, 'involvements', n.organisation_id, n.sensitive
    from new_rows n
    join child c on c.child_id = n.child_id
    where is_told(c.status, c.shielded)
      and not exists (select from change x where x.child_id = n.child_id and x.xid = pg_current_xact_id() and x.kind = 'added')
    on conflict do nothing;
    return null;
end $$;
create trigger change_added after insert on involvement
    referencing new table as new_rows for each statement execute function note_involvements_added();

-- Facts that are superseded, or go to another record.
create function note_facts_changed() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform note_change(new.child_id, tg_argv[0], null, false);
    if old.child_id <> new.child_id then
        perform note_change(old.child_id, tg_argv[0], null, false);
    end if;
    return null;
end $$;
create trigger change_of_fact after update on child_name
    for each row when ((old.child_id, old.superseded_at) is distinct from (new.child_id, new.superseded_at))
    execute function note_facts_changed('child');
create trigger change_of_fact after update on whereabouts
    for each row when ((old.child_id, old.superseded_at) is distinct from (new.child_id, new.superseded_at))
    execute function note_facts_changed('whereabouts');
create trigger change_of_fact after update on child_identifier
    for each row when ((old.child_id, old.superseded_at) is distinct from (new.child_id, new.superseded_at))
    execute function note_facts_changed('identifiers');
-- That it is sealed or opened changes nothing.
create trigger change_of_fact after update on carer
    for each row when (old is distinct from new and old.shielded = new.shielded and (old.sealed is null) = (new.sealed is null))
    execute function note_facts_changed('carers');

create function note_involvement_changed() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform note_change(new.child_id, 'involvements', new.organisation_id, new.sensitive);
    if (old.child_id, old.organisation_id) <> (new.child_id, new.organisation_id) then
        perform note_change(old.child_id, 'involvements', old.organisation_id, old.sensitive);
    end if;
    return null;
end $$;
-- That it was only confirmed is told to nobody: every night does it.
create trigger change_of_fact after update on involvement
    for each row when (
        to_jsonb(old) - '{confirmed_on,as_at,received_at,recorded_by,source_organisation_id,version}'::text[]
        is distinct from to_jsonb(new) - '{confirmed_on,as_at,received_at,recorded_by,source_organisation_id,version}'::text[])
    execute function note_involvement_changed();

create function note_flag_changed() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform note_change(new.child_id, 'flags', i.organisation_id, i.sensitive)
    from involvement i where i.involvement_id = new.involvement_id;
    if tg_op = 'UPDATE' and old.child_id <> new.child_id then
        perform note_change(old.child_id, 'flags', i.organisation_id, i.sensitive)
        from involvement i where i.involvement_id = new.involvement_id;
    end if;
    return null;
end $$;
create trigger change_added after insert on flag for each row execute function note_flag_changed();
create trigger change_of_fact after update on flag
    for each row when (old is distinct from new) execute function note_flag_changed();

revoke execute on function is_told(text, boolean), note_change(uuid, text, uuid, boolean), note_child_added(), note_child_changed(),
    note_facts_added(), note_involvements_added(), note_facts_changed(), note_involvement_changed(), note_flag_changed() from public;

-- What an organisation is told of a change; nothing where it is not told of it. It is asked anew whenever something is told, so
-- that nothing leaves that may not be known any more. An organisation is told of children with whom it works, a steward's also
-- of those for whom it answers; of others' involvements where others may know of them, and a feed of its own alone.
-- Whoever is told that a record is withdrawn is not told why; what stands withdrawn says nothing more. A merged record is what its
-- survivor is. `offset 0` keeps each change looked up by its child, whatever the planner takes their number to be.
create function change_told(of_child uuid, of_kind text, of_organisation uuid, of_hidden boolean, viewer uuid, is_steward boolean,
                            is_feed boolean, day date)
    returns table (kind text, index_number text, survivor text)
    language sql stable as $$
    select t.kind, c.index_number, case when t.kind = 'merged' then k.index_number end
    from child c
    join child k on k.child_id = coalesce(c.merged_into, c.child_id)
    cross join lateral (
        select k.shielded or not in_use(k.status, k.archives_on, day) as away,
               is_steward and viewer in (k.responsible_authority_id, c.responsible_authority_id)
               or exists (select from involvement i where i.child_id = k.child_id and i.organisation_id = viewer
                          and (i.ended_on is null or i.ended_on > day)) as follows
    ) s
    cross join lateral (
        select case when of_kind <> 'standing' then of_kind when s.away or not s.follows then 'withdrawn'
                    when c.merged_into is not null then 'merged' else 'child' end as kind
    ) t
    where c.child_id = of_child
      and (of_organisation is not distinct from viewer and (of_kind <> 'standing' or is_steward)
           or s.follows and (of_organisation is null or of_kind in ('involvements', 'flags') and not of_hidden and not is_feed))
      and (of_kind = 'standing' or not s.away
           or of_kind = 'added' and not exists (select from change x where x.child_id = of_child and x.kind = 'standing'))
    offset 0
$$;
revoke execute on function change_told(uuid, text, uuid, boolean, uuid, boolean, boolean, date) from public;
grant execute on function change_told(uuid, text, uuid, boolean, uuid, boolean, boolean, date) to contactpoint_app;

-- Who is told by webhook: an organisation, at an address that answered before.
create table subscription (
    subscription_id uuid primary key,
    organisation_id uuid not null references organisation,
    target          text not null,
    status          text not null default 'unconfirmed' check (status in ('unconfirmed', 'active', 'paused')),
    created_by      uuid not null references account,
    created_at      timestamptz not null,
    confirmed_at    timestamptz,
    -- Until when one worker delivers to it; a worker that was killed lets go of it so.
    leased_until    timestamptz,
    version         bigint not null default 1,
    constraint subscription_confirmed check (status = 'unconfirmed' or confirmed_at is not null)
);
create index subscription_by_organisation on subscription (organisation_id, created_at, subscription_id);

-- An event that is to be delivered, or was: its number is the event's, whatever the number of tries. What it says is looked up
-- when it is sent.
create table delivery (
    delivery_id     uuid primary key,
    subscription_id uuid not null references subscription on delete cascade,
    child_id        uuid,
    xid             xid8,
    position        bigint,
    status          text not null default 'waiting' check (status in ('waiting', 'delivered', 'dead', 'dropped')),
    made_at         timestamptz not null,
    attempts        int not null default 0,
    next_at         timestamptz not null,
    tried_at        timestamptz,
    outcome         text,
    version         bigint not null default 1,
    constraint delivery_once unique (subscription_id, xid, position),
    -- A ping tells of no child.
    constraint delivery_of_a_change check (num_nonnulls(child_id, xid, position) in (0, 3))
);
create index delivery_due on delivery (subscription_id, next_at) where status = 'waiting';
create index delivery_by_time on delivery (subscription_id, made_at, delivery_id);
create index delivery_by_child on delivery (child_id);
create index delivery_by_age on delivery (made_at);

grant select, delete on change to contactpoint_app;
grant select on change_cursor to contactpoint_app;
grant update (xid, position) on change_cursor to contactpoint_app;
grant select, insert, delete on subscription, delivery to contactpoint_app;
grant update (target, status, confirmed_at, leased_until, version) on subscription to contactpoint_app;
grant update (status, attempts, next_at, tried_at, outcome, version) on delivery to contactpoint_app;

reset role;
