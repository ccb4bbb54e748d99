-- The models by which likeness is judged, as data: what was learnt, what an operator put in force, and the counts of the index
-- that go with it. Nothing here is ever changed or removed, so every decision can be traced to what it was made by.
set local role contactpoint_owner;

create table match_model (
    version    integer generated always as identity primary key,
    made_at    timestamptz not null,
    -- `shipped` with a release, or `trained` on this index.
    origin     text not null check (origin in ('shipped', 'trained')),
    model      jsonb not null,
    -- What it was trained on, and how it differs from the model then in force.
    report     jsonb check ((origin = 'trained') = (report is not null))
);
grant select, insert on match_model to contactpoint_app;

-- An operator's decision; the last one holds. Before any, the model that a release ships is in force.
create table match_promotion (
    promotion   integer generated always as identity primary key,
    version     integer not null references match_model,
    promoted_at timestamptz not null,
    reason      text not null check (length(reason) between 10 and 500)
);
grant select, insert on match_promotion to contactpoint_app;

-- How often names and postcodes occur in the index that more than one child has, and how pairs of different children agree.
create table match_frequencies (
    revision    integer generated always as identity primary key,
    counted_at  timestamptz not null,
    -- The children in the index then, as far as PostgreSQL's statistics tell.
    children    bigint not null,
    frequencies jsonb not null
);
grant select, insert on match_frequencies to contactpoint_app;

reset role;
