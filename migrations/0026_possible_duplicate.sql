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

grant select, insert on possible_duplicate to contactpoint_app;
grant update (status, ground, decided_by, decided_at, version) on possible_duplicate to contactpoint_app;

reset role;
