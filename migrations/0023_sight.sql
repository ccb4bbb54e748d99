-- Whether somebody sees past a shield is judged where it stands in a statement. The function was called for shielded children
-- alone, planned anew each time, and the time that took told a hidden involvement from none.
set local role contactpoint_owner;

-- Whether somebody has a grant to look past the shield of a child.
create function has_override_grant(child uuid, account uuid, session uuid, at timestamptz) returns boolean
    language plpgsql stable parallel safe as $$
begin
    return exists (select from override_grant g
                   where g.child_id = child and g.account_id = account and g.session_id = session and g.expires_at > at);
end $$;
revoke execute on function has_override_grant(uuid, uuid, uuid, timestamptz) from public;
grant execute on function has_override_grant(uuid, uuid, uuid, timestamptz) to contactpoint_app;

-- Without a subselect, so that it is part of the statement that asks.
create or replace function sees_past_shield(child uuid, responsible uuid, viewer_role text, viewer_organisation uuid, account uuid, session uuid, at timestamptz)
    returns boolean language sql stable parallel safe as $$
    select case viewer_role
        when 'shieldApprover' then viewer_organisation = responsible
        when 'practitionerWithOverride' then has_override_grant(child, account, session, at)
        else false end
$$;

reset role;
