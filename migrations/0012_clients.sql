-- Clients, as they are told.
set local role contactpoint_owner;

create view client_told as
    select c.client_id, c.organisation_id, c.name, c.status, o.kind as organisation_kind,
           json_strip_nulls(json_build_object(
               'id', c.client_id,
               'organisationId', c.organisation_id,
               'name', c.name,
               'role', c.role,
               'status', c.status,
               'tokenEndpointAuthMethod', c.auth_method,
               'jwks', c.jwks,
               'jwksUri', c.jwks_uri,
               'scopes', c.scopes,
               'dpopRequired', c.dpop_required,
               'requestsPerSecond', c.requests_per_second,
               'version', c.version
           )) as told
    from client c
    join organisation o on o.organisation_id = c.organisation_id;

grant select on client_told to contactpoint_app;

reset role;
