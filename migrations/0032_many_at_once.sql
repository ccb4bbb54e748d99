-- What a feed sends is worked on many rows at a time: who resembles a shielded child is found without going through all the others.
set local role contactpoint_owner;

-- The few who are shielded, by their keys.
create index match_entry_shielded_by_key on match_entry using gin (keys) with (fastupdate = off) where shielded;

-- The shielded records in use that share a key with what is asked, each at the place of its child; at most `most`. What is asked
-- holds nothing that a shield hides. The settings make the plan certain, as in match_candidates.
create function match_shielded(asked bigint[], of_scheme smallint, day date, most integer) returns table (children uuid[], records bytea[])
    language sql stable
    set enable_seqscan = off set max_parallel_workers_per_gather = 0 set jit = off set plan_cache_mode = force_generic_plan
    as $$
    select coalesce(array_agg(f.child_id), '{}'), coalesce(array_agg(f.packed), '{}')
    from (select e.child_id, e.packed from match_entry e
          where e.shielded and e.keys && asked and e.scheme = of_scheme and (e.archives_on is null or e.archives_on > day)
          limit most) f
$$;

-- Which of these records resemble a shielded one by name and birth or by an identifier.
create function resembling_shielded(these uuid[]) returns setof uuid
    language sql stable
    set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set max_parallel_workers_per_gather = 0 set jit = off
    as $$
    select t.child_id from unnest(these) as t (child_id)
    where exists (select from resembling(t.child_id) o where o.shielded)
$$;

-- Where a table is thought to be empty, going through any index looks as good as its key. So there is none by which all records of a
-- source could be gone through: nobody asks for those of a batch, and this one serves only who asks for children.
drop index source_record_by_batch;
drop index source_record_by_child;
create index source_record_by_child on source_record (child_id) where child_id is not null;

revoke execute on function match_shielded(bigint[], smallint, date, integer), resembling_shielded(uuid[]) from public;
grant execute on function match_shielded(bigint[], smallint, date, integer), resembling_shielded(uuid[]) to contactpoint_app;

reset role;
