-- Who watches how the index is used: how far the audit was looked through, what is kept of those who look until it is forgotten,
-- what was found, and what is looked into because of it.
set local role contactpoint_owner;

-- By which somebody reads the own use of the index.
create index audit_event_by_account on audit_event (account_id, at, event_id) where account_id is not null;

-- How far the audit was looked through, up to which week its use was counted, and when.
create table watch_cursor (
    one         boolean primary key default true check (one),
    epoch       int not null default 0,
    tx          xid8 not null default '0',
    event_id    uuid not null default '00000000-0000-0000-0000-000000000000',
    counted     date,
    reached_at  timestamptz
);
insert into watch_cursor default values;

-- What is kept of people, of their like, of organisations and of children until it is forgotten: whom they opened, what they
-- searched by. Only the service can read it.
create table watch_state (
    kind            text not null check (kind in ('person', 'peers', 'body', 'child')),
    key             text not null,
    sealed          bytea not null,
    organisation_id uuid,
    due_on          date,
    forgotten_on    date not null,
    primary key (kind, key)
);
create index watch_state_due on watch_state (due_on) where due_on is not null;
create index watch_state_forgotten on watch_state (forgotten_on);

-- From which measure on a detector finds something, where the operator has said so; the latest version holds.
create table detector_rule (
    detector text not null,
    version  bigint not null check (version > 1),
    watches  boolean not null,
    least    int not null check (least > 0),
    measure  double precision not null check (measure >= 0),
    minutes  int not null check (minutes > 0),
    set_by   uuid not null references account,
    set_at   timestamptz not null,
    primary key (detector, version)
);

-- Records that nobody has reason to look at. They are fictitious.
create table canary (
    child_id  uuid primary key,
    marked_at timestamptz not null
);

-- Something that was found. What it is about, and whose use it is, only the service can read.
create table alert (
    alert_id        uuid primary key,
    detector        text not null,
    severity        text not null,
    organisation_id uuid not null references organisation,
    raised_at       timestamptz not null,
    last_at         timestamptz not null,
    times           int not null default 1 check (times > 0),
    -- By which it is known again on the same day.
    finding_key     bytea not null unique,
    -- Whose use it is, by which it is kept from them.
    about           bytea[] not null,
    sealed          bytea not null,
    version         bigint not null default 1
);
create index alert_by_organisation on alert (organisation_id, raised_at, alert_id);
create index alert_by_time on alert (raised_at, alert_id);

-- How somebody used the index on a day, and in a week that is over.
create table usage_day (
    day             date not null,
    account_id      uuid not null references account,
    organisation_id uuid not null references organisation,
    searches        int not null default 0,
    empty_searches  int not null default 0,
    children        int not null default 0,
    out_of_area     int not null default 0,
    out_of_hours    int not null default 0,
    own_name        int not null default 0,
    refused         int not null default 0,
    overrides       int not null default 0,
    reasons         jsonb not null default '{}',
    primary key (day, account_id)
);
create table usage_week (
    organisation_id uuid not null references organisation,
    week            date not null check (extract(isodow from week) = 1),
    account_id      uuid not null references account,
    told            jsonb not null,
    counted_at      timestamptz not null,
    primary key (organisation_id, week, account_id)
);

-- An investigation begins by an alert also, and then is about whatever that is about.
alter table investigation
    alter child_id drop not null,
    alter reference drop not null,
    drop constraint investigation_kind_check,
    drop constraint investigation_of_a_grant,
    add alert_id     uuid constraint investigation_once unique references alert,
    add assigned_to  uuid references account,
    add assigned_at  timestamptz,
    add suspected_by uuid references account,
    add suspected_at timestamptz,
    -- Whether the account was suspended because of it, and stands as it did if there was reason for what was done.
    add suspended    boolean not null default false,
    add findings     text[] not null default '{}',
    add constraint investigation_kind_check check (kind in ('override', 'alert')),
    add constraint investigation_of_a_grant check ((kind = 'override') = (grant_id is not null)),
    add constraint investigation_of_an_alert check ((kind = 'alert') = (alert_id is not null)),
    add constraint investigation_of_a_child check (kind <> 'override' or num_nulls(child_id, reference) = 0),
    add constraint investigation_assigned_to_another check (assigned_to <> account_id),
    add constraint investigation_suspected_by_another check (suspected_by <> account_id);

create or replace view investigation_told as
select i.investigation_id, i.child_id, i.account_id, i.authority_id, i.opened_at, i.outcome,
       json_strip_nulls(json_build_object(
           'id', i.investigation_id,
           'kind', i.kind,
           'indexNumber', case when c.status <> 'retired' then c.index_number end,
           'accountId', i.account_id,
           'organisationId', i.organisation_id,
           'reference', i.reference,
           'ground', i.ground,
           'grantedAt', g.granted_at,
           'expiresAt', g.expires_at,
           'status', case when i.outcome is null then 'open' else 'closed' end,
           'outcome', i.outcome,
           'decidedBy', i.decided_by,
           'decidedAt', i.decided_at,
           'version', i.version,
           'alertId', i.alert_id,
           'detector', a.detector,
           'openedAt', i.opened_at,
           'assignedTo', i.assigned_to,
           'suspectedAt', i.suspected_at,
           'findings', case when i.findings <> '{}' then i.findings end
       )) as told,
       i.kind
from investigation i
left join child c on c.child_id = i.child_id
left join override_grant g on g.grant_id = i.grant_id
left join alert a on a.alert_id = i.alert_id;

grant select, update on watch_cursor to contactpoint_app;
grant select, insert, update, delete on watch_state, usage_day to contactpoint_app;
grant select, insert on detector_rule, usage_week to contactpoint_app;
grant select, insert, delete on canary to contactpoint_app;
grant select, insert on alert to contactpoint_app;
grant update (last_at, times, about, sealed, version) on alert to contactpoint_app;
grant update (assigned_to, assigned_at, suspected_by, suspected_at, suspended, findings) on investigation to contactpoint_app;

reset role;
