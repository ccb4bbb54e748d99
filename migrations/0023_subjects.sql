-- Whose record an account of a child, or of a carer who acts for one, is about.
set local role contactpoint_owner;

create table subject (
    account_id uuid not null references account,
    child_id   uuid not null references child,
    capacity   text not null check (capacity in ('child', 'carer')),
    linked_by  uuid not null references account check (linked_by <> account_id),
    linked_at  timestamptz not null,
    ended_at   timestamptz
);
create unique index subject_once on subject (child_id, account_id) where ended_at is null;
create index subject_by_account on subject (account_id);
-- A child has one record of its own, and one account for it.
create unique index subject_own_record on subject (account_id) where capacity = 'child' and ended_at is null;
grant select, insert on subject to contactpoint_app;
grant update (ended_at) on subject to contactpoint_app;

reset role;
