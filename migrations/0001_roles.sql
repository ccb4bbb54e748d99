-- Two roles stand apart: the owner of every object, whom nobody signs in as, and the application.
-- They belong to the whole server, so another database of it may have made them already.
do $$
begin
    create role contactpoint_owner nologin noinherit;
exception when duplicate_object or unique_violation then null;
end $$;

do $$
begin
    create role contactpoint_app login noinherit nosuperuser nocreatedb nocreaterole nobypassrls;
exception when duplicate_object or unique_violation then null;
end $$;

do $$
begin
    if not pg_has_role(current_user, 'contactpoint_owner', 'member') then
        execute format('grant contactpoint_owner to %I', current_user);
    end if;
    execute format('grant connect, temporary on database %I to contactpoint_app', current_database());
    execute format('revoke all on database %I from public', current_database());
end $$;

revoke all on schema public from public;
grant create, usage on schema public to contactpoint_owner;
grant usage on schema public to contactpoint_app;
-- The service learns from it at its start whether the database is up to date.
grant select on _sqlx_migrations to contactpoint_app, contactpoint_owner;
