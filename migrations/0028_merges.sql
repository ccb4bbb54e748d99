-- Two records of one child become one, and two again. Two stewards agree; every row that moves is known by what it said before, so
-- that it goes back as it was. What is kept of it names columns that no shield hides.
set local role contactpoint_owner;

alter table child
    -- The record in use into which this one was merged, at the end of a chain too.
    add merged_into uuid references child,
    drop constraint child_status_check,
    add constraint child_status_check check (status in ('active', 'archived', 'retired', 'merged')),
    add constraint child_merged_into_another check ((status = 'merged') = (merged_into is not null) and merged_into <> child_id);
create index child_by_survivor on child (merged_into) where merged_into is not null;

-- An open involvement that a merge has put beside the same of the other record: neither is lost, and no third is made.
alter table involvement add twin boolean not null default false;
drop index involvement_once;
create unique index involvement_once on involvement (child_id, organisation_id, service_type, coalesce(contact ->> 'team', ''))
    where ended_on is null and not twin;

create table child_merge (
    merge_id              uuid primary key,
    survivor_id           uuid not null references child on delete cascade,
    retired_id            uuid not null references child on delete cascade check (retired_id <> survivor_id),
    possible_duplicate_id uuid,
    ground                text not null,
    status                text not null default 'proposed' check (status in ('proposed', 'refused', 'merged', 'reversalProposed', 'reversed')),
    proposed_by           uuid not null references account,
    proposed_for          uuid not null references organisation,
    proposed_at           timestamptz not null,
    decided_by            uuid references account,
    decided_at            timestamptz,
    reversal_ground       text,
    reversal_by           uuid references account,
    reversal_for          uuid references organisation,
    reversal_at           timestamptz,
    reversed_by           uuid references account,
    reversed_at           timestamptz,
    -- What stood before: shields, the person of the retired record, and the requests that held shields up.
    survivor_shielded     boolean,
    retired_shielded      boolean,
    retired_person        uuid,
    held_up_by            uuid[],
    version               bigint not null default 1,
    constraint child_merge_by_two check (status not in ('merged', 'reversalProposed', 'reversed') or decided_by <> proposed_by and decided_at is not null),
    constraint child_merge_decided check ((status = 'proposed') = (decided_by is null)),
    constraint child_merge_knows_what_was check (status in ('proposed', 'refused')
        or num_nonnulls(survivor_shielded, retired_shielded, held_up_by) = 3),
    constraint child_merge_reversal check (status not in ('reversalProposed', 'reversed')
        or num_nonnulls(reversal_ground, reversal_by, reversal_for, reversal_at) = 4),
    constraint child_merge_reversed_by_two check (status <> 'reversed' or reversed_by <> reversal_by and reversed_at is not null)
);
create unique index child_merge_proposed_once on child_merge (least(survivor_id, retired_id), greatest(survivor_id, retired_id))
    where status = 'proposed';
create unique index child_merge_retires_once on child_merge (retired_id) where status in ('merged', 'reversalProposed');
create index child_merge_by_survivor on child_merge (survivor_id);
create index child_merge_by_retired on child_merge (retired_id);
create index child_merge_by_age on child_merge (proposed_at, merge_id);

-- What a merge has moved, with what it said before of what the merge changes.
create table merge_moved (
    merge_id uuid not null references child_merge on delete cascade,
    relation text not null,
    fact     text not null,
    was      jsonb not null default '{}',
    primary key (merge_id, relation, fact)
);

-- A fact that only changes its record has no history of that.
drop trigger child_history on child;
create trigger child_history after update on child
    for each row when (
        to_jsonb(old) - '{version,visible_version,person_id,shielded,status,archives_on,archived_on,merged_into}'::text[]
        is distinct from to_jsonb(new) - '{version,visible_version,person_id,shielded,status,archives_on,archived_on,merged_into}'::text[])
    execute function keep_history('child');
drop trigger carer_history on carer;
create trigger carer_history after update on carer
    for each row when (old.child_id = new.child_id
        and (to_jsonb(old) - 'sealed', sealed_rest(old.sealed)) is distinct from (to_jsonb(new) - 'sealed', sealed_rest(new.sealed))
        and old.shielded = new.shielded and (old.sealed is null) = (new.sealed is null))
    execute function keep_history('carer');
drop trigger involvement_history on involvement;
create trigger involvement_history after update on involvement
    for each row when (old is distinct from new and old.child_id = new.child_id) execute function keep_history('involvement');

-- Moves what an approved merge moves. The keys of sensitive services are made anew by the service, for the number of the survivor.
-- Says whether a consent to stay has moved.
create function merge_children(merge uuid, at timestamptz, services uuid[], keys bytea[]) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    m    child_merge%rowtype;
    kept child%rowtype;
    gone child%rowtype;
    last bigint;
begin
    select * into m from child_merge c where c.merge_id = merge_children.merge;
    select * into kept from child c where c.child_id = m.survivor_id;
    select * into gone from child c where c.child_id = m.retired_id;
    if m.status <> 'merged' or kept.status <> 'active' or gone.status <> 'active' or kept.person_id is null
        or kept.shielded <> gone.shielded then
        raise exception 'these records are not to be merged' using errcode = 'P0001';
    end if;
    update child c set person_id = kept.person_id where c.child_id = gone.child_id or c.merged_into = gone.child_id;

    insert into merge_moved select merge, 'child_name', name_id, jsonb_build_object('kind', kind, 'superseded_at', superseded_at)
    from child_name where child_id = gone.child_id;
    update child_name n set child_id = kept.child_id, date_of_birth = kept.date_of_birth,
        superseded_at = case when n.superseded_at is null and known.already then at else n.superseded_at end,
        kind = case when n.kind = 'current' and n.superseded_at is null and not known.already then 'former' else n.kind end
    from (select g.name_id, exists (select from child_name k where k.child_id = kept.child_id and k.superseded_at is null
                                        and k.given = g.given and k.family = g.family) as already
          from child_name g where g.child_id = gone.child_id) known
    where n.name_id = known.name_id;

    insert into merge_moved select merge, 'whereabouts', whereabouts_id, jsonb_build_object('superseded_at', superseded_at)
    from whereabouts where child_id = gone.child_id;
    update whereabouts w set child_id = kept.child_id,
        superseded_at = coalesce(w.superseded_at, case when exists (
            select from whereabouts k where k.child_id = kept.child_id and k.superseded_at is null) then at end)
    where w.child_id = gone.child_id;

    insert into merge_moved select merge, 'child_identifier', identifier_id, jsonb_build_object('superseded_at', superseded_at)
    from child_identifier where child_id = gone.child_id;
    update child_identifier i set child_id = kept.child_id, held = not kept.shielded,
        superseded_at = coalesce(i.superseded_at, case when exists (
            select from child_identifier k where k.child_id = kept.child_id and k.kind = i.kind and k.superseded_at is null) then at end)
    where i.child_id = gone.child_id;

    insert into merge_moved select merge, 'carer', carer_id, jsonb_build_object('superseded_at', superseded_at)
    from carer where child_id = gone.child_id;
    update carer r set child_id = kept.child_id,
        superseded_at = coalesce(r.superseded_at, case when exists (
            select from carer k where k.child_id = kept.child_id and k.superseded_at is null and k.sealed is null and r.sealed is null
                and (k.given, k.family, k.relationship, k.parental_responsibility, k.phones, k.emails, k.address)
                    is not distinct from (r.given, r.family, r.relationship, r.parental_responsibility, r.phones, r.emails, r.address)) then at end)
    where r.child_id = gone.child_id;

    insert into merge_moved select merge, 'involvement', involvement_id, jsonb_build_object('twin', twin)
    from involvement where child_id = gone.child_id;
    update involvement i set child_id = kept.child_id,
        twin = i.twin or i.ended_on is null and exists (
            select from involvement k where k.child_id = kept.child_id and k.ended_on is null and not k.twin
                and k.organisation_id = i.organisation_id and k.service_type = i.service_type
                and coalesce(k.contact ->> 'team', '') = coalesce(i.contact ->> 'team', ''))
    where i.child_id = gone.child_id;
    update history h set child_id = kept.child_id where h.child_id = gone.child_id and h.fact <> 'child';

    insert into merge_moved select merge, 'flag', flag_id, jsonb_build_object('cleared_at', cleared_at)
    from flag where child_id = gone.child_id;
    update flag f set child_id = kept.child_id,
        cleared_at = coalesce(f.cleared_at, case when f.flag = 'leadProfessional' and exists (
            select from flag k where k.child_id = kept.child_id and k.flag = 'leadProfessional' and k.cleared_at is null) then at end)
    where f.child_id = gone.child_id;

    insert into merge_moved select merge, 'sensitive_involvement', involvement_id from sensitive_involvement where child_id = gone.child_id;
    update sensitive_involvement s set child_id = kept.child_id, provider_key = new.key
    from unnest(services, keys) as new (id, key) where s.involvement_id = new.id and s.child_id = gone.child_id;
    update sensitive_history h set child_id = kept.child_id where h.child_id = gone.child_id;

    insert into merge_moved select merge, 'consent', consent_id from consent where child_id = gone.child_id;
    update consent c set child_id = kept.child_id where c.child_id = gone.child_id;
    insert into merge_moved select merge, 'contact_request', contact_request_id from contact_request where child_id = gone.child_id;
    update contact_request c set child_id = kept.child_id where c.child_id = gone.child_id;
    insert into merge_moved select merge, 'legal_hold', hold_id from legal_hold where child_id = gone.child_id;
    update legal_hold h set child_id = kept.child_id where h.child_id = gone.child_id;
    insert into merge_moved select merge, 'shield_request', shield_request_id from shield_request where child_id = gone.child_id;
    update shield_request s set child_id = kept.child_id where s.child_id = gone.child_id;
    insert into merge_moved select merge, 'identity_end', identity_end_id from identity_end where child_id = gone.child_id;
    update identity_end e set child_id = kept.child_id where e.child_id = gone.child_id;
    insert into merge_moved select merge, 'source_record', feed_id || ' ' || reference from source_record where child_id = gone.child_id;
    update source_record s set child_id = kept.child_id where s.child_id = gone.child_id;

    -- Who is linked to both already stays linked to each.
    insert into merge_moved select distinct merge, 'subject', account_id || ' ' || linked_at from subject s
    where s.child_id = gone.child_id and (s.ended_at is not null or not exists (
        select from subject k where k.child_id = kept.child_id and k.account_id = s.account_id and k.ended_at is null));
    update subject s set child_id = kept.child_id
    where s.child_id = gone.child_id and (s.ended_at is not null or not exists (
        select from subject k where k.child_id = kept.child_id and k.account_id = s.account_id and k.ended_at is null));

    -- The pair ends; what the retired record forms with others, the survivor does, unless it does already.
    insert into merge_moved
    select merge, 'possible_duplicate', possible_duplicate_id,
           jsonb_build_object('child_id', child_id, 'other_id', other_id, 'status', status, 'ground', ground, 'decided_by', decided_by, 'decided_at', decided_at)
    from possible_duplicate p
    where (p.child_id, p.other_id) = (least(kept.child_id, gone.child_id), greatest(kept.child_id, gone.child_id))
       or p.status = 'open' and gone.child_id in (p.child_id, p.other_id) and not exists (
           select from possible_duplicate k
           where k.child_id = least(kept.child_id, case p.child_id when gone.child_id then p.other_id else p.child_id end)
             and k.other_id = greatest(kept.child_id, case p.child_id when gone.child_id then p.other_id else p.child_id end));
    update possible_duplicate p set
        status = case when kept.child_id in (p.child_id, p.other_id) then 'merged' else p.status end,
        ground = case when kept.child_id in (p.child_id, p.other_id) then 'merged' else p.ground end,
        decided_by = case when kept.child_id in (p.child_id, p.other_id) then m.decided_by else p.decided_by end,
        decided_at = case when kept.child_id in (p.child_id, p.other_id) then at else p.decided_at end,
        child_id = case when kept.child_id in (p.child_id, p.other_id) then p.child_id
            else least(kept.child_id, case p.child_id when gone.child_id then p.other_id else p.child_id end) end,
        other_id = case when kept.child_id in (p.child_id, p.other_id) then p.other_id
            else greatest(kept.child_id, case p.child_id when gone.child_id then p.other_id else p.child_id end) end,
        version = version + 1
    from merge_moved x
    where x.merge_id = merge and x.relation = 'possible_duplicate' and x.fact = p.possible_duplicate_id::text;

    -- A service that only the retired record has is one that the child is not without.
    select max(history_id) into last from history h where h.child_id = kept.child_id;
    insert into merge_moved
    select merge, 'without_service', service from unnest(kept.without_service) service
    where exists (select from involvement i where i.child_id = kept.child_id and i.service_type = service and i.ended_on is null);
    update child c set version = version + 1, visible_version = visible_version + 1,
        without_service = array(select service from unnest(c.without_service) with ordinality s (service, n)
            where not exists (select from merge_moved x where x.merge_id = merge and x.relation = 'without_service' and x.fact = service) order by n)
    where c.child_id = kept.child_id;
    delete from history h where h.child_id = kept.child_id and h.fact = 'child' and h.history_id > coalesce(last, 0);

    update child c set status = 'merged', merged_into = kept.child_id, version = version + 1, visible_version = visible_version + 1
    where c.child_id = gone.child_id;
    update child c set merged_into = kept.child_id where c.merged_into = gone.child_id;
    return exists (select from merge_moved x join consent c on c.consent_id::text = x.fact
                   where x.merge_id = merge and x.relation = 'consent' and c.purpose = 'stayToTwentyFive');
end $$;

-- Moves back what a merge has moved. What has a number of its own goes back as it is now, with what came to it since; names,
-- whereabouts and identifiers as they were before. Says whether a consent to stay has moved.
create function unmerge_children(merge uuid, at timestamptz, services uuid[], keys bytea[]) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    m      child_merge%rowtype;
    kept   child%rowtype;
    gone   child%rowtype;
    under  uuid[];
    last   bigint;
    stays  boolean;
begin
    select * into m from child_merge c where c.merge_id = unmerge_children.merge;
    select * into kept from child c where c.child_id = m.survivor_id;
    select * into gone from child c where c.child_id = m.retired_id;
    if m.status <> 'reversed' or gone.merged_into <> kept.child_id or kept.status not in ('active', 'archived')
        or kept.person_id is distinct from gone.person_id then
        raise exception 'these records are not merged' using errcode = 'P0001';
    end if;
    stays := exists (select from merge_moved x join consent c on c.consent_id::text = x.fact
                     where x.merge_id = merge and x.relation = 'consent' and c.purpose = 'stayToTwentyFive');

    update child_name n set child_id = gone.child_id, date_of_birth = gone.date_of_birth,
        kind = x.was ->> 'kind', superseded_at = (x.was ->> 'superseded_at')::timestamptz
    from merge_moved x where x.merge_id = merge and x.relation = 'child_name' and x.fact = n.name_id::text;
    update whereabouts w set child_id = gone.child_id, superseded_at = (x.was ->> 'superseded_at')::timestamptz
    from merge_moved x where x.merge_id = merge and x.relation = 'whereabouts' and x.fact = w.whereabouts_id::text;
    update child_identifier i set child_id = gone.child_id, held = false, superseded_at = (x.was ->> 'superseded_at')::timestamptz
    from merge_moved x where x.merge_id = merge and x.relation = 'child_identifier' and x.fact = i.identifier_id::text;
    update carer r set child_id = gone.child_id,
        superseded_at = case when r.superseded_at = m.decided_at then (x.was ->> 'superseded_at')::timestamptz else r.superseded_at end
    from merge_moved x where x.merge_id = merge and x.relation = 'carer' and x.fact = r.carer_id::text;
    update involvement i set child_id = gone.child_id, twin = (x.was ->> 'twin')::boolean
    from merge_moved x where x.merge_id = merge and x.relation = 'involvement' and x.fact = i.involvement_id::text;
    update history h set child_id = gone.child_id where h.child_id = kept.child_id and h.fact <> 'child'
        and exists (select from merge_moved x where x.merge_id = merge and x.relation = h.fact and x.fact = h.fact_id::text);
    update flag f set child_id = gone.child_id
    from involvement i
    where i.involvement_id = f.involvement_id and i.child_id = gone.child_id and f.child_id = kept.child_id
      and not exists (select from merge_moved x where x.merge_id = merge and x.relation = 'flag' and x.fact = f.flag_id::text);
    update flag f set child_id = gone.child_id,
        cleared_at = case when f.cleared_at = m.decided_at and i.ended_on is null and not exists (
                select from flag o where o.child_id = gone.child_id and o.flag = f.flag and o.cleared_at is null
                    and (o.involvement_id = f.involvement_id or o.flag = 'leadProfessional'))
            then (x.was ->> 'cleared_at')::timestamptz else f.cleared_at end
    from merge_moved x, involvement i
    where x.merge_id = merge and x.relation = 'flag' and x.fact = f.flag_id::text and i.involvement_id = f.involvement_id;

    update sensitive_involvement s set child_id = gone.child_id, provider_key = new.key
    from unnest(services, keys) as new (id, key) where s.involvement_id = new.id and s.child_id = kept.child_id;
    update sensitive_history h set child_id = gone.child_id
    from sensitive_involvement s where s.involvement_id = h.involvement_id and s.child_id = gone.child_id and h.child_id = kept.child_id;
    update consent c set child_id = gone.child_id
    where c.child_id = kept.child_id and (c.involvement_id = any(services)
        or exists (select from merge_moved x where x.merge_id = merge and x.relation = 'consent' and x.fact = c.consent_id::text));
    update contact_request c set child_id = gone.child_id
    where c.child_id = kept.child_id and (c.involvement_id = any(services)
        or exists (select from merge_moved x where x.merge_id = merge and x.relation = 'contact_request' and x.fact = c.contact_request_id::text));

    -- A hold that was placed meanwhile is on both.
    insert into legal_hold (hold_id, child_id, ground, held_from, held_until, said_on, placed_by, placed_at)
    select gen_random_uuid(), gone.child_id, h.ground, h.held_from, h.held_until, h.said_on, h.placed_by, h.placed_at
    from legal_hold h
    where h.child_id = kept.child_id and h.placed_at > m.decided_at and h.held_until > (at at time zone 'Europe/London')::date
      and not exists (select from merge_moved x where x.relation = 'legal_hold' and x.fact = h.hold_id::text);
    update legal_hold h set child_id = gone.child_id
    from merge_moved x where x.merge_id = merge and x.relation = 'legal_hold' and x.fact = h.hold_id::text;
    update shield_request s set child_id = gone.child_id
    from merge_moved x where x.merge_id = merge and x.relation = 'shield_request' and x.fact = s.shield_request_id::text;
    update identity_end e set child_id = gone.child_id
    from merge_moved x where x.merge_id = merge and x.relation = 'identity_end' and x.fact = e.identity_end_id::text;
    update source_record s set child_id = gone.child_id
    from merge_moved x where x.merge_id = merge and x.relation = 'source_record' and x.fact = s.feed_id || ' ' || s.reference;
    update subject s set child_id = gone.child_id
    from merge_moved x where x.merge_id = merge and x.relation = 'subject' and x.fact = s.account_id || ' ' || s.linked_at
        and s.child_id = kept.child_id;
    update possible_duplicate p set child_id = (x.was ->> 'child_id')::uuid, other_id = (x.was ->> 'other_id')::uuid,
        status = case p.status when 'merged' then x.was ->> 'status' else p.status end,
        ground = case p.status when 'merged' then x.was ->> 'ground' else p.ground end,
        decided_by = case p.status when 'merged' then (x.was ->> 'decided_by')::uuid else p.decided_by end,
        decided_at = case p.status when 'merged' then (x.was ->> 'decided_at')::timestamptz else p.decided_at end,
        version = version + 1
    from merge_moved x where x.merge_id = merge and x.relation = 'possible_duplicate' and x.fact = p.possible_duplicate_id::text;

    select max(history_id) into last from history h where h.child_id = kept.child_id;
    update child c set version = version + 1, visible_version = visible_version + 1,
        without_service = c.without_service || array(
            select x.fact from merge_moved x
            where x.merge_id = merge and x.relation = 'without_service' and not x.fact = any(c.without_service)
              and not exists (select from involvement i where i.child_id = c.child_id and i.service_type = x.fact and i.ended_on is null)
            order by x.fact)
    where c.child_id = kept.child_id;
    delete from history h where h.child_id = kept.child_id and h.fact = 'child' and h.history_id > coalesce(last, 0);

    with recursive beneath as (
        select gone.child_id as child_id
        union
        select e.retired_id from child_merge e join beneath b on b.child_id = e.survivor_id where e.status in ('merged', 'reversalProposed')
    )
    select array_agg(b.child_id) into under from beneath b where b.child_id <> gone.child_id;
    update child c set status = 'active', merged_into = null, version = version + 1, visible_version = visible_version + 1
    where c.child_id = gone.child_id;
    update child c set merged_into = gone.child_id where c.child_id = any(under);
    delete from merge_moved x where x.merge_id = merge;
    return stays;
end $$;

revoke execute on function merge_children(uuid, timestamptz, uuid[], bytea[]), unmerge_children(uuid, timestamptz, uuid[], bytea[]) from public;
grant execute on function merge_children(uuid, timestamptz, uuid[], bytea[]), unmerge_children(uuid, timestamptz, uuid[], bytea[]) to contactpoint_app;

-- A pair that a merge ended.
alter table possible_duplicate
    drop constraint possible_duplicate_status_check,
    add constraint possible_duplicate_status_check check (status in ('open', 'different', 'same', 'merged'));

-- A merge as it is told on a day, with the authorities whose stewards see it: while both records are in use, or are merged into one
-- that is; a merge that stands also for the first year in the archive.
create function merge_told_on(day date)
    returns table (merge_id uuid, survivor_id uuid, retired_id uuid, authorities uuid[], status text, proposed_at timestamptz, seen boolean,
                   covered boolean, told json)
    language sql stable parallel safe as $$
    select m.merge_id, m.survivor_id, m.retired_id, array[s.responsible_authority_id, r.responsible_authority_id], m.status, m.proposed_at,
           in_use(ls.status, ls.archives_on, day) and in_use(lr.status, lr.archives_on, day)
               or m.status in ('merged', 'reversalProposed')
                  and day < anniversary(archived_since(ls.status, ls.archived_on, ls.archives_on, day), 1),
           s.merged_into is not null or m.status = 'proposed' and r.merged_into is not null,
           json_strip_nulls(json_build_object(
               'id', m.merge_id,
               'survivor', s.index_number,
               'retired', r.index_number,
               'possibleDuplicateId', m.possible_duplicate_id,
               'ground', m.ground,
               'status', m.status,
               'proposedBy', m.proposed_by,
               'proposedFor', m.proposed_for,
               'proposedAt', m.proposed_at,
               'decidedBy', m.decided_by,
               'decidedAt', m.decided_at,
               'reversal', case when m.reversal_by is not null then json_build_object(
                   'ground', m.reversal_ground,
                   'proposedBy', m.reversal_by,
                   'proposedFor', m.reversal_for,
                   'proposedAt', m.reversal_at,
                   'decidedBy', m.reversed_by,
                   'decidedAt', m.reversed_at) end,
               'version', m.version
           ))
    from child_merge m
    join child s on s.child_id = m.survivor_id
    join child r on r.child_id = m.retired_id
    join child ls on ls.child_id = coalesce(s.merged_into, s.child_id)
    join child lr on lr.child_id = coalesce(r.merged_into, r.child_id)
$$;

-- What a merge would move, and where the two records say different things. Under a shield of either, no more than it leaves
-- visible; of consents, holds and accounts to a steward of the authority that answers for the record alone, and of sensitive services nothing.
create function merge_preview(survivor uuid, retired uuid, own uuid) returns json
    language sql stable parallel safe as $$
    select json_build_object(
        'shielded', k.shielded or g.shielded,
        'moves', coalesce((
            select json_agg(json_build_object('fact', f.fact, 'count', f.count) order by f.n)
            from (values
                (1, 'name', true, (select count(*) from child_name x where x.child_id = g.child_id)),
                (2, 'whereabouts', not h.hidden, (select count(*) from whereabouts x where x.child_id = g.child_id)),
                (3, 'identifier', not h.hidden, (select count(*) from child_identifier x where x.child_id = g.child_id)),
                (4, 'carer', true, (select count(*) from carer x where x.child_id = g.child_id and x.superseded_at is null)),
                (5, 'involvement', not h.hidden, (select count(*) from involvement x where x.child_id = g.child_id)),
                (6, 'flag', not h.hidden, (select count(*) from flag x where x.child_id = g.child_id and x.cleared_at is null)),
                (7, 'consent', not h.hidden and h.mine, (
                    select count(*) from consent x where x.child_id = g.child_id and x.purpose = 'stayToTwentyFive')),
                (8, 'hold', not h.hidden and h.mine, (select count(*) from legal_hold x where x.child_id = g.child_id)),
                (9, 'subject', not h.hidden and h.mine, (
                    select count(*) from subject x where x.child_id = g.child_id and x.ended_at is null))
            ) as f (n, fact, told, count)
            where f.told and f.count > 0), '[]'),
        'conflicts', coalesce((
            select json_agg(c.conflict order by c.n)
            from (values
                (1, 'name', not exists (
                    select from child_name x join child_name y on y.child_id = k.child_id and y.kind = 'current' and y.superseded_at is null
                        and y.given = x.given and y.family = x.family
                    where x.child_id = g.child_id and x.kind = 'current' and x.superseded_at is null)),
                (2, 'dateOfBirth', k.date_of_birth <> g.date_of_birth or k.date_of_birth_precision <> g.date_of_birth_precision),
                (3, 'gender', k.gender <> g.gender),
                (4, 'whereabouts', not h.hidden and not exists (
                    select from whereabouts x join whereabouts y on y.child_id = k.child_id and y.superseded_at is null
                        and (y.kind, y.lines, y.postcode) is not distinct from (x.kind, x.lines, x.postcode)
                    where x.child_id = g.child_id and x.superseded_at is null)),
                (5, 'identifier', not h.hidden and exists (
                    select from child_identifier x join child_identifier y on y.child_id = k.child_id and y.kind = x.kind and y.superseded_at is null
                    where x.child_id = g.child_id and x.superseded_at is null and x.value <> y.value)),
                (6, 'involvement', not h.hidden and exists (
                    select from involvement x join involvement y on y.child_id = k.child_id and y.ended_on is null
                        and y.organisation_id = x.organisation_id and y.service_type = x.service_type
                        and coalesce(y.contact ->> 'team', '') = coalesce(x.contact ->> 'team', '')
                    where x.child_id = g.child_id and x.ended_on is null)),
                (7, 'leadProfessional', not h.hidden and (
                    select count(distinct x.child_id) = 2 from flag x
                    where x.child_id in (k.child_id, g.child_id) and x.flag = 'leadProfessional' and x.cleared_at is null)),
                (8, 'authority', not h.hidden and k.responsible_authority_id <> g.responsible_authority_id),
                (9, 'death', not h.hidden and k.died_on is distinct from g.died_on)
            ) as c (n, conflict, differs)
            where c.differs), '[]'))
    from child k
    join child g on g.child_id = retired
    cross join lateral (select k.shielded or g.shielded as hidden, own = g.responsible_authority_id as mine) h
    where k.child_id = survivor
$$;

-- The record that a number leads to now: after a merge the survivor.
create function child_numbered(number text) returns uuid
    language sql stable parallel safe as $$ select coalesce(c.merged_into, c.child_id) from child c where c.index_number = number $$;

revoke execute on function merge_told_on(date), merge_preview(uuid, uuid, uuid), child_numbered(text) from public;
grant execute on function merge_told_on(date), merge_preview(uuid, uuid, uuid), child_numbered(text) to contactpoint_app;

-- What was answered about a record that has been merged since is told again as long as its survivor is.
create or replace function answer_stands(child uuid, answered timestamptz, day date) returns boolean
    language sql stable parallel safe as $$
    select coalesce((
        select c.status <> 'retired'
           and coalesce((answered at time zone 'Europe/London')::date >= archived_since(c.status, c.archived_on, c.archives_on, day), true)
        from child was join child c on c.child_id = coalesce(was.merged_into, was.child_id) where was.child_id = child), false)
$$;

-- Nothing joins an identity that has ended to another record: no pair, and no merge that does not stand.
create or replace function pairs_end_with_an_identity() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from possible_duplicate where child_id = new.child_id;
    delete from possible_duplicate where other_id = new.child_id;
    delete from child_merge where new.child_id in (survivor_id, retired_id) and status in ('proposed', 'refused', 'reversed');
    return null;
end $$;

-- The same purge as before, of the record and of those merged into it.
create or replace function purge_child(child uuid, purge uuid, day date, hashes bytea[]) returns boolean
    language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gone      child%rowtype;
    one       child%rowtype;
    rows_of   regclass;
    keys      text[];
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

    for one in
        select * from child c where c.merged_into = gone.child_id or c.child_id = gone.child_id order by c.merged_into nulls last
    loop
        keys := '{}';
        for rows_of, key in
            select c.oid::regclass, k.attname from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attname = 'child_id'
            join pg_index i on i.indrelid = c.oid and i.indisprimary and i.indnkeyatts = 1
            join pg_attribute k on k.attrelid = c.oid and k.attnum = i.indkey[0] and k.atttypid = 'uuid'::regtype
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
        loop
            execute format('select coalesce(array_agg(%I::text), ''{}'') from %s where child_id = $1', key, rows_of)
                into found_ids using one.child_id;
            keys := keys || found_ids;
        end loop;
        keys := keys || array(select m.merge_id::text from child_merge m where one.child_id in (m.survivor_id, m.retired_id));
        delete from notice n where n.about like '%' || one.index_number || '%'
            or exists (select from unnest(keys) k where n.about like '%' || k || '%');

        for pass in 1..8 loop
            left_over := 0;
            for rows_of in
                select c.oid::regclass from pg_class c
                join pg_attribute a on a.attrelid = c.oid and a.attname = 'child_id' and not a.attisdropped
                where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.oid <> 'child'::regclass
            loop
                begin
                    execute format('delete from %s where child_id = $1', rows_of) using one.child_id;
                exception when foreign_key_violation then
                    left_over := left_over + 1;
                end;
            end loop;
            exit when left_over = 0;
        end loop;
        delete from child c where c.child_id = one.child_id;
    end loop;

    -- The person goes with the last record, unless others are said to resemble that person.
    if gone.person_id is not null and not exists (select from child c where c.person_id = gone.person_id)
        and not exists (select from shield_request s where s.resembles = gone.person_id) then
        delete from distinct_persons d where gone.person_id in (d.one, d.other);
        delete from person p where p.person_id = gone.person_id;
    end if;
    insert into purged (hash, purged_on) select unnest(hashes), day on conflict do nothing;
    return true;
end $$;

grant select, insert on child_merge to contactpoint_app;
grant select on merge_moved to contactpoint_app;
grant update (status, decided_by, decided_at, reversal_ground, reversal_by, reversal_for, reversal_at, reversed_by, reversed_at,
    survivor_shielded, retired_shielded, retired_person, held_up_by, version) on child_merge to contactpoint_app;

reset role;
