-- A reader with few children is not taken through everybody's changes; and limits can be changed by those who may.
set local role contactpoint_owner;

create index change_by_organisation on change (organisation_id, xid, position) where organisation_id is not null;

-- The changes after a place of which an organisation may be told: `change_told` says of which it is. Where there are more changes
-- ahead, of whomever, than the organisation has children, they are looked up by its children, all of them (`whole`); otherwise in
-- their order, as many as `most`. Only transactions below all that are still running in the snapshot of the statement are looked
-- at. A steward's children are not counted: they are whom the authority answers for.
create function changes_to_look_at(viewer uuid, is_steward boolean, after_xid xid8, after_position bigint, most bigint, few bigint)
    returns table (whole boolean, xid xid8, "position" bigint, child_id uuid, kind text, organisation_id uuid, hidden boolean, at timestamptz)
    language plpgsql stable set jit = off as $$
#variable_conflict use_column
declare
    running constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
    ahead bigint;
    own uuid[];
begin
    if not is_steward then
        select count(*) into ahead
        from (select from change x
              where (x.xid, x.position) > (after_xid, after_position) and x.xid < running
              order by x.xid, x.position limit few) a;
        own := array(select i.child_id from involvement i where i.organisation_id = viewer limit ahead);
        if cardinality(own) < ahead
           and ahead > (select count(*)
                        from (select from change x
                              where x.organisation_id = viewer and (x.xid, x.position) > (after_xid, after_position) limit ahead) o) then
            return query
            select true, x.*
            from (select unnest(own) as child_id
                  union
                  select c.child_id from unnest(own) o join child c on c.merged_into = o) o
            cross join lateral (
                select x.xid, x.position, x.child_id, x.kind, x.organisation_id, x.hidden, x.at from change x
                where x.child_id = o.child_id and x.xid >= after_xid and (x.xid, x.position) > (after_xid, after_position)
                  and x.xid < running and x.organisation_id is distinct from viewer
                offset 0
            ) x
            union all
            select true, x.xid, x.position, x.child_id, x.kind, x.organisation_id, x.hidden, x.at from change x
            where x.organisation_id = viewer and (x.xid, x.position) > (after_xid, after_position) and x.xid < running;
            return;
        end if;
    end if;
    return query
    select false, x.xid, x.position, x.child_id, x.kind, x.organisation_id, x.hidden, x.at from change x
    where (x.xid, x.position) > (after_xid, after_position) and x.xid < running
    order by x.xid, x.position limit most;
end $$;
revoke execute on function changes_to_look_at(uuid, boolean, xid8, bigint, bigint, bigint) from public;
grant execute on function changes_to_look_at(uuid, boolean, xid8, bigint, bigint, bigint) to contactpoint_app;

alter table budget add version bigint not null default 1;
grant insert, update on budget to contactpoint_app;

reset role;
