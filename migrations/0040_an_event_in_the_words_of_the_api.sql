set local role contactpoint_owner;

-- An event in the words of the API, without what it hides.
create function audit_told(e audit_event) returns json language sql stable parallel safe as $$
    select json_build_object(
        'id', e.event_id, 'at', e.at, 'operation', e.operation, 'outcome', e.outcome, 'status', e.status,
        'problem', e.problem, 'accountId', e.account_id, 'clientId', e.client_id, 'onBehalfOf', e.on_behalf_of,
        'organisationId', e.organisation_id, 'role', e.role, 'reason', e.reason, 'reference', e.reference,
        'children', coalesce((select json_agg(c.index_number) from child c where c.child_id = any(e.children)), '[]'),
        'details', null, 'requestId', e.request_id)
$$;
revoke execute on function audit_told(audit_event) from public;
grant execute on function audit_told(audit_event) to contactpoint_app;

reset role;
