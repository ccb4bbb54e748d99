-- What the matcher finds children by: the blocking keys of every record in use, and the record packed as it is compared.
-- An entry is made of the facts in the other tables and of nothing else, so it can be thrown away and made again.
set local role contactpoint_owner;

create table match_entry (
    child_id    uuid primary key,
    -- Under a shield an entry holds names, birth, gender and the names of carers alone.
    shielded    boolean not null,
    -- The day at whose beginning the record is archived; an archived record has no entry.
    archives_on date,
    -- The version of the keys and of the packing.
    scheme      smallint not null,
    keys        bigint[] not null,
    packed      bytea not null,
    constraint match_entry_shielded_with_the_child foreign key (child_id, shielded) references child (child_id, shielded)
        on update cascade
) with (fillfactor = 90);
-- Without a list of pending keys, which every search would have to read, and which one write in thousands would have to sort in.
create index match_entry_by_key on match_entry using gin (keys) with (fastupdate = off);
-- By which entries are found that an older version of the service made.
create index match_entry_by_scheme on match_entry (scheme);

-- Children whose entry is missing, or older than what is known of them. Each time counts on, so that who makes an entry takes
-- away no more than was known when it was read.
create table match_stale (
    child_id uuid primary key references child,
    mark     bigint not null generated always as identity
);

-- A shield empties the entry at once, whoever raises it: nothing that it hides can be found or read, even if nobody makes the
-- entry again.
create function match_entry_is_emptied() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    new.keys := '{}';
    new.packed := '';
    return new;
end $$;
create trigger match_entry_is_emptied before update on match_entry
    for each row when (new.shielded and not old.shielded) execute function match_entry_is_emptied();

-- Whatever path writes what is known of a child, its entry is stale until it is made again.
create function facts_are_added() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into match_stale (child_id)
    select distinct n.child_id from added n join match_entry e on e.child_id = n.child_id
    on conflict (child_id) do update set mark = default;
    return null;
end $$;
create trigger name_is_added after insert on child_name referencing new table as added
    for each statement execute function facts_are_added();
create trigger whereabouts_are_added after insert on whereabouts referencing new table as added
    for each statement execute function facts_are_added();
create trigger identifier_is_added after insert on child_identifier referencing new table as added
    for each statement execute function facts_are_added();
create trigger carer_is_added after insert on carer referencing new table as added
    for each statement execute function facts_are_added();
create trigger involvement_is_added after insert on involvement referencing new table as added
    for each statement execute function facts_are_added();

create function fact_is_changed() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into match_stale (child_id) select e.child_id from match_entry e where e.child_id = new.child_id
    on conflict (child_id) do update set mark = default;
    return null;
end $$;
create trigger name_is_changed after update on child_name
    for each row when ((old.kind, old.given, old.family, old.superseded_at)
        is distinct from (new.kind, new.given, new.family, new.superseded_at)) execute function fact_is_changed();
create trigger whereabouts_are_changed after update on whereabouts
    for each row when ((old.kind, old.lines, old.town, old.postcode, old.superseded_at)
        is distinct from (new.kind, new.lines, new.town, new.postcode, new.superseded_at)) execute function fact_is_changed();
create trigger identifier_is_changed after update on child_identifier
    for each row when ((old.kind, old.value, old.superseded_at) is distinct from (new.kind, new.value, new.superseded_at))
    execute function fact_is_changed();
create trigger carer_is_changed after update on carer
    for each row when ((old.given, old.family, old.superseded_at) is distinct from (new.given, new.family, new.superseded_at))
    execute function fact_is_changed();
create trigger involvement_is_changed after update on involvement
    for each row when ((old.organisation_id, old.service_type, old.sensitive, old.ended_on)
        is distinct from (new.organisation_id, new.service_type, new.sensitive, new.ended_on)) execute function fact_is_changed();

-- A record that is archived or retired has no entry any more; one that is taken back into use gets one again.
create function entry_follows_child() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.status <> 'active' then
        delete from match_entry where child_id = new.child_id;
        delete from match_stale where child_id = new.child_id;
        return null;
    end if;
    update match_entry set archives_on = new.archives_on
    where child_id = new.child_id and archives_on is distinct from new.archives_on;
    if (old.status, old.shielded, old.gender, old.date_of_birth, old.date_of_birth_precision)
        is distinct from (new.status, new.shielded, new.gender, new.date_of_birth, new.date_of_birth_precision) then
        insert into match_stale (child_id) values (new.child_id) on conflict (child_id) do update set mark = default;
    end if;
    return null;
end $$;
create trigger entry_follows_child after update on child
    for each row when ((old.status, old.archives_on, old.shielded, old.gender, old.date_of_birth, old.date_of_birth_precision)
        is distinct from (new.status, new.archives_on, new.shielded, new.gender, new.date_of_birth, new.date_of_birth_precision))
    execute function entry_follows_child();

-- A child who was added and has no entry when all is done is not forgotten either.
create function child_has_an_entry() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into match_stale (child_id)
    select c.child_id from child c
    where c.child_id = new.child_id and c.status = 'active'
      and not exists (select from match_entry e where e.child_id = c.child_id)
    on conflict do nothing;
    return null;
end $$;
create constraint trigger child_has_an_entry after insert on child deferrable initially deferred
    for each row execute function child_has_an_entry();

insert into match_stale (child_id) select child_id from child where status = 'active';

-- The records in use that share a key with what is asked, in one row, each at the place of its child; no row where they are more than
-- `most`. Where that is due to keys that more than 1,000 records share, these keys say nothing and are left out, unless
-- there are no others. `unshielded` leaves out whom a shield hides.
--
-- The settings make the plan certain: how many records share a key cannot be estimated, and reading the table from its
-- beginning, in parallel or with compiled expressions, must not look cheaper. A table of the same name in the session's own
-- schema takes the place of the index, so that the same statement is measured on other records.
create function match_candidates(asked bigint[], of_scheme smallint, day date, unshielded boolean, most integer)
    returns table (children uuid[], records bytea[])
    language plpgsql stable
    set enable_seqscan = off set max_parallel_workers_per_gather = 0 set jit = off set plan_cache_mode = force_generic_plan
    as $$
#variable_conflict use_column
begin
    select array_agg(f.child_id), array_agg(f.packed) into children, records
    from (select e.child_id, e.packed from match_entry e
          where e.keys && asked and e.scheme = of_scheme and (e.archives_on is null or e.archives_on > day)
            and not (e.shielded and unshielded)
          limit most + 1) f;
    if cardinality(children) > most then
        select array_agg(f.child_id), array_agg(f.packed) into children, records
        from (select e.child_id, e.packed
              from (select distinct unnest(shared.by) as child_id
                    from (select array_agg(s.child_id) as by
                          from unnest(asked) as k (key)
                          cross join lateral (
                              select e.child_id from match_entry e
                              where e.keys @> array[k.key] and e.scheme = of_scheme
                                and (e.archives_on is null or e.archives_on > day) and not (e.shielded and unshielded)
                              limit 1001) s
                          group by k.key having count(*) <= 1000) shared) found
              join match_entry e on e.child_id = found.child_id
              limit most + 1) f;
        if children is null or cardinality(children) > most then
            return;
        end if;
    end if;
    children := coalesce(children, '{}');
    records := coalesce(records, '{}');
    return next;
end $$;

-- The records that resemble a record, as far as the matcher finds them likely to be of the same child: never those of the
-- same person, nor of one of whom somebody has said that it is another.
create function resembling_of(this uuid, likely uuid[]) returns table (child_id uuid, person_id uuid, shielded boolean)
    language sql stable as $$
    select o.child_id, o.person_id, o.shielded from resembling(this) o
    union
    select o.child_id, o.person_id, o.shielded
    from child c
    join child o on o.child_id = any(likely)
    where c.child_id = this and o.child_id <> c.child_id
      and (c.person_id is null or o.person_id is null or c.person_id <> o.person_id
           and not exists (select from distinct_persons d
                           where d.one = least(c.person_id, o.person_id) and d.other = greatest(c.person_id, o.person_id)))
$$;

revoke execute on function match_entry_is_emptied(), facts_are_added(), fact_is_changed(), entry_follows_child(), child_has_an_entry(),
    match_candidates(bigint[], smallint, date, boolean, integer), resembling_of(uuid, uuid[]) from public;
grant execute on function match_candidates(bigint[], smallint, date, boolean, integer), resembling_of(uuid, uuid[]) to contactpoint_app;
grant select, insert, update on match_entry to contactpoint_app;
grant select, insert, delete on match_stale to contactpoint_app;

reset role;
