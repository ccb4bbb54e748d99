-- Records that may be of one child, for stewards to look at. What is compared stands in the records alone, and is compared anew
-- for whoever looks, so that nothing stays here that a later shield hides.
set local role contactpoint_owner;

create table possible_duplicate (
    possible_duplicate_id uuid primary key,
    child_id      uuid not null references child,
    -- What refers to a purged record goes with it, whichever of the two it was.
    other_id      uuid not null references child on delete cascade,
    model_version text not null,
    found_at      timestamptz not null,
    status        text not null default 'open' check (status in ('open', 'different', 'same')),
    ground        text,
    decided_by    uuid,
    decided_at    timestamptz,
    version       bigint not null default 1,
    constraint possible_duplicate_once unique (child_id, other_id),
    constraint possible_duplicate_in_order check (child_id < other_id),
    constraint possible_duplicate_decided check ((status = 'open') = (ground is null) and (ground is null) = (decided_at is null)
        and (decided_at is null) = (decided_by is null))
);
create index possible_duplicate_by_other on possible_duplicate (other_id);
create index possible_duplicate_by_age on possible_duplicate (found_at, possible_duplicate_id);

-- Nothing joins an identity that has ended to another record (security rule S-4).
create function pairs_end_with_an_identity() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from possible_duplicate where child_id = new.child_id;
    delete from possible_duplicate where other_id = new.child_id;
    return null;
end $$;
create trigger pairs_end_with_an_identity after update of status on child
    for each row when (new.status = 'retired' and old.status <> 'retired') execute function pairs_end_with_an_identity();

grant select, insert on possible_duplicate to contactpoint_app;
grant update (status, ground, decided_by, decided_at, version) on possible_duplicate to contactpoint_app;

reset role;
