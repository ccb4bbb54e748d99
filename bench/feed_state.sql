-- What a database holds of children, feeds, batches, reviews and changes, a line each, without ids and times: two databases that
-- have come to the same end hold the same lines.
create temp table own as
select f.child_id, md5(string_agg(f.said, e'\n' order by f.said)) as said
from (
    select child_id, 'child ' || (to_jsonb(t) - '{child_id, index_number, person_id, received_at, merged_into}'::text[])::text as said from child t
    union all
    select child_id, 'name ' || (to_jsonb(t) - '{name_id, child_id, received_at, superseded_at}'::text[] || jsonb_build_object('former', superseded_at is not null))::text from child_name t
    union all
    select child_id, 'whereabouts ' || (to_jsonb(t) - '{whereabouts_id, child_id, received_at, superseded_at}'::text[] || jsonb_build_object('former', superseded_at is not null))::text from whereabouts t
    union all
    select child_id, 'identifier ' || (to_jsonb(t) - '{identifier_id, child_id, received_at, superseded_at}'::text[] || jsonb_build_object('former', superseded_at is not null))::text from child_identifier t
    union all
    select child_id, 'carer ' || (to_jsonb(t) - '{carer_id, child_id, received_at, superseded_at, sealed}'::text[] || jsonb_build_object('former', superseded_at is not null))::text from carer t
    union all
    select child_id, 'involvement ' || (to_jsonb(t) - '{involvement_id, child_id, received_at, sealed}'::text[])::text from involvement t
    union all
    -- Carers who came at once stand in it in any order.
    select child_id, 'entry ' || archives_on::text || keys::text || octet_length(packed) from match_entry
    union all
    select child_id, 'stale' from match_stale
) f
group by f.child_id;
create unique index on own (child_id);

select 'child ' || said from own
union all
select concat_ws(' ', 'source', s.feed_id, s.reference, o.said, encode(s.hash, 'hex'), s.unconfirmed_at is not null)
from source_record s left join own o on o.child_id = s.child_id
union all
select concat_ws(' ', 'batch', feed_id, format, complete, trial, encode(content_hash, 'hex'), bytes, rows, linked, created, unchanged,
    review, rejected, unreadable, unconfirmed)
from feed_batch where status = 'done'
union all
select concat_ws(' ', 'batch that is not done', feed_id, status) from feed_batch where status in ('waiting', 'processing')
union all
select concat_ws(' ', 'row', b.feed_id, encode(b.content_hash, 'hex'), r.line, r.reference, r.outcome, r.faults, r.sent is not null, o.said)
from feed_row r join feed_batch b on b.batch_id = r.batch_id left join own o on o.child_id = r.child_id
where b.status not in ('receiving', 'failed')
union all
select concat_ws(' ', 'review', feed_id, reference, encode(hash, 'hex'), status, reasons, line,
    (select string_agg(o.said, ' ' order by n) from unnest(candidates) with ordinality c (child_id, n) join own o on o.child_id = c.child_id))
from review_task
union all
select concat_ws(' ', 'alike', d.status, least(a.said, b.said), greatest(a.said, b.said))
from possible_duplicate d join own a on a.child_id = d.child_id join own b on b.child_id = d.other_id
union all
select concat_ws(' ', 'changes', o.said, c.kind, count(*)) from change c join own o on o.child_id = c.child_id group by o.said, c.kind;
