-- What a child, or a carer who acts for one, has a right to: who acts for whom, what is asked of the index and by when it is
-- answered, and which looks are told later.
set local role contactpoint_owner;

-- What a steward has checked before an account is about a record. Of accounts that were linked before, nothing is known.
alter table subject
    add identity_evidence       text,
    add responsibility_evidence text,
    add carer_id                uuid references carer,
    -- On what somebody acts whose age alone does not say so.
    add basis                   text check (basis in ('childCompetent', 'childAgrees', 'childNotCompetent')),
    add checked_on              date,
    add constraint subject_checked_whole check (num_nonnulls(identity_evidence, checked_on) in (0, 2)),
    add constraint subject_carer_checked check (
        identity_evidence is null or (capacity = 'carer') = (carer_id is not null and responsibility_evidence is not null));
create index subject_by_carer on subject (carer_id) where carer_id is not null;

-- Whether a carer has parental responsibility on the record of a child; one whom a merge has joined with the same carer of the
-- other record has it there.
create function carer_stands(carer uuid, child uuid) returns boolean
    language sql stable parallel safe as $$
    select exists (
        select from carer own
        join carer r on r.child_id = carer_stands.child and r.superseded_at is null and r.parental_responsibility
        where own.carer_id = carer_stands.carer and own.child_id = r.child_id
          and (r.carer_id = own.carer_id
               or own.superseded_at is not null
               and (r.given, r.family, r.relationship) = (own.given, own.family, own.relationship)
               and exists (select from child_merge m
                           join merge_moved x on x.merge_id = m.merge_id and x.relation = 'carer' and x.fact = own.carer_id::text
                           where m.survivor_id = r.child_id and m.status in ('merged', 'reversalProposed')
                             and x.was ->> 'superseded_at' is null)))
$$;

-- For whom an account acts on a day. At 12 a child is presumed to understand, so that from then on the child decides who else sees the
-- record; nobody has parental responsibility for an adult. An archived record is told too, as long as it is kept.
create function acting_for(account uuid, day date) returns table (child_id uuid, capacity text, carer_id uuid)
    language sql stable parallel safe as $$
    select s.child_id, s.capacity, s.carer_id
    from subject s
    join child c on c.child_id = s.child_id
    where s.account_id = acting_for.account and s.ended_at is null and c.status in ('active', 'archived')
      and case s.capacity
          when 'child' then day >= anniversary(c.date_of_birth, 12) or s.basis is not distinct from 'childCompetent'
          else carer_stands(s.carer_id, s.child_id) and day < anniversary(c.date_of_birth, 18)
               and (day < anniversary(c.date_of_birth, 12) or coalesce(s.basis in ('childAgrees', 'childNotCompetent'), false))
          end
$$;

-- What a child, or a carer, asks of the index.
create table information_request (
    information_request_id uuid primary key,
    -- The record that answers for it now, and the one it was asked of.
    child_id      uuid not null references child,
    asked_of      uuid not null,
    kind          text not null check (kind in ('see', 'correct', 'complain')),
    capacity      text not null check (capacity in ('child', 'carer')),
    fact          text check (fact in ('name', 'dateOfBirth', 'gender', 'whereabouts', 'identifier', 'carer', 'involvement')),
    fact_id       uuid,
    status        text not null check (status in
        ('received', 'identityChecked', 'forwarded', 'corrected', 'partlyCorrected', 'refused', 'answered', 'withdrawn')),
    -- The account that asks; none where it was asked on paper, and then who entered it.
    asked_by      uuid references account,
    entered_by    uuid references account,
    received_on   date not null,
    identity_asked_on  date,
    identity_proven_on date,
    identity_evidence  text,
    responsibility_evidence text,
    extension     text,
    due_on        date not null,
    refusal       text,
    -- The version of the record when it was asked, and the one in which the correction stands.
    asked_version  bigint not null,
    record_version bigint check (record_version > asked_version),
    -- What the person says, and what stays when it is refused.
    sealed        bytea,
    asked_at      timestamptz not null,
    closed_at     timestamptz,
    version       bigint not null default 1,
    constraint information_request_asked_or_entered check (num_nonnulls(asked_by, entered_by) = 1),
    constraint information_request_of_a_fact check (kind = 'correct' or fact is null),
    constraint information_request_of_one_fact check (coalesce(fact in ('carer', 'involvement'), false) = (fact_id is not null)),
    constraint information_request_proven check (status in ('received', 'withdrawn', 'refused') or identity_proven_on is not null),
    constraint information_request_in_order check (identity_asked_on >= received_on and identity_proven_on >= identity_asked_on),
    constraint information_request_closed
        check ((status in ('received', 'identityChecked', 'forwarded')) = (closed_at is null)),
    constraint information_request_refused check ((status = 'refused') = (refusal is not null))
);
create index information_request_by_child on information_request (child_id);
create index information_request_by_asker on information_request (asked_by, asked_at) where asked_by is not null;
create index information_request_by_age on information_request (asked_at, information_request_id);
create index information_request_by_due_day on information_request (due_on) where closed_at is null;
-- What is disputed while its source is asked.
create index information_request_disputes on information_request (child_id) where status = 'forwarded';

-- A request with what decides on who sees it; an identity that has ended is told to nobody.
create view information_request_read as
    select r.*, c.index_number, c.responsible_authority_id,
           case when c.shielded then c.visible_version else c.version end as current_version
    from information_request r
    join child c on c.child_id = r.child_id
    where c.status in ('active', 'archived');

-- Whether somebody sees a request: the steward and the auditor of the authority that answers for the record, the auditor of a
-- national partner, and whoever asks, as long as they act for the child.
create function may_read_request(role text, organisation uuid, account uuid, day date, responsible uuid, asker uuid, child uuid)
    returns boolean language sql stable parallel safe as $$
    select case role
        when 'steward' then responsible = organisation
        when 'auditor' then responsible = organisation or exists (
            select from organisation o where o.organisation_id = may_read_request.organisation and o.kind = 'nationalPartner')
        when 'subject' then asker = account and exists (
            select from acting_for(account, day) a where a.child_id = may_read_request.child)
        else false end
$$;

-- Why looks at a child are told later, for 3 months at a time.
create table withholding (
    withholding_id uuid primary key,
    child_id       uuid not null references child,
    asked_of       uuid not null,
    ground         text not null check (ground in ('seriousHarm', 'crime')),
    placed_by      uuid not null references account,
    placed_at      timestamptz not null,
    review_on      date not null,
    ended_by       uuid references account,
    ended_at       timestamptz,
    version        bigint not null default 1,
    check ((ended_by is null) = (ended_at is null))
);
create index withholding_by_child on withholding (child_id);
create index withholding_by_review_day on withholding (review_on) where ended_at is null;

-- Whether a look is told later: one of an enquiry, or past a shield, for 28 days, and as long as somebody has said so who must say
-- it again every 3 months.
create function is_withheld(children uuid[], looked_at timestamptz, now timestamptz, day date) returns boolean
    language sql stable parallel safe as $$
    select looked_at > now - interval '28 days' or exists (
        select from withholding w
        where w.child_id = any(children) and w.ended_at is null and w.review_on >= day
          and looked_at > w.placed_at - interval '28 days')
$$;

-- They go with the record into which theirs is merged, and back.
create function rights_go_along() returns trigger
    language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if new.merged_into is null then
        update information_request r set child_id = new.child_id where r.asked_of = new.child_id;
        update withholding w set child_id = new.child_id where w.asked_of = new.child_id;
    else
        update information_request r set child_id = new.merged_into where new.child_id in (r.asked_of, r.child_id);
        update withholding w set child_id = new.merged_into where new.child_id in (w.asked_of, w.child_id);
    end if;
    return null;
end $$;
create trigger rights_go_along after update of merged_into on child
    for each row when (old.merged_into is distinct from new.merged_into) execute function rights_go_along();

revoke execute on function carer_stands(uuid, uuid), acting_for(uuid, date), is_withheld(uuid[], timestamptz, timestamptz, date),
    may_read_request(text, uuid, uuid, date, uuid, uuid, uuid), rights_go_along() from public;
grant execute on function carer_stands(uuid, uuid), acting_for(uuid, date), is_withheld(uuid[], timestamptz, timestamptz, date),
    may_read_request(text, uuid, uuid, date, uuid, uuid, uuid) to contactpoint_app;
grant select on information_request_read to contactpoint_app;
grant select, insert on information_request, withholding to contactpoint_app;
grant update (status, identity_asked_on, identity_proven_on, identity_evidence, responsibility_evidence, extension, due_on, refusal,
    record_version, sealed, closed_at, version) on information_request to contactpoint_app;
grant update (review_on, ended_by, ended_at, version) on withholding to contactpoint_app;

reset role;
