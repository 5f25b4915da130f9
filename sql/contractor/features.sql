create or replace function contractor.segment(team_size int)
    returns text
    language sql immutable parallel safe
return case
    when team_size = 1   then 'solo'
    when team_size <= 10 then 'small'
    when team_size <= 50 then 'medium'
    when team_size > 50  then 'large'
end;

comment on function contractor.segment(int) is
    'A team size as the word sessions use for their audience: 1 solo, to 10 small, to 50
medium, above large.';

-- From the row at hand, so that a query over many contractors needs no look-up for each.
create or replace function contractor.features_of(contractor contractor.contractors)
    returns contractor.feature_set
    language sql immutable parallel safe
return row((contractor).goal, (contractor).role, (contractor).revenue_band, (contractor).team_size,
    contractor.segment((contractor).team_size), (contractor).region, (contractor).tech_stack,
    (contractor).preferred_tracks, (contractor).embedding)::contractor.feature_set;

comment on function contractor.features_of(contractor.contractors) is
    'The features of a contractor''s row, as match_score reads them.';

-- Attendees ask and act for themselves; an organizer, or an app's service account, for anyone of the
-- tenant. Definer, so that the token is checked once: tenant and person are compared here, policies would
-- ask for each again.
create or replace function contractor.require(contractor_id uuid)
    returns contractor.contractors
    language plpgsql stable security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_me         access.identity := access.me();
    v_contractor contractor.contractors;
begin
    if contractor_id is null then
        perform access.refuse('22004', 'a contractor is required',
            'Pass contractor_id, for example contractor.contractor_id(''key'').');
    end if;
    select c.* into v_contractor from contractor.contractors as c
    where c.contractor_id = require.contractor_id and c.tenant_id = v_me.tenant_id;
    if v_contractor.contractor_id is null then
        perform access.refuse('QC202', format('there is no contractor %s', contractor_id),
            'Contractors are listed in contractor.contractors.');
    elsif v_contractor.person_id is distinct from v_me.person_id
        and not v_me.roles && '{organizer,service}'
    then
        perform access.refuse('QC405', 'this is another contractor''s',
            'Sign in as that contractor, or as an organizer or service.');
    end if;
    return v_contractor;
end
$$;

comment on function contractor.require(uuid) is
    'The contractor, if the signed-in person may ask and act for them.
Errors: 22004 null, QC202 unknown contractor, QC405 someone else''s.';

create or replace function contractor.contractor_id(key text)
    returns uuid
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_contractor_id uuid := (
        select c.contractor_id from contractor.contractors as c
        where c.key = contractor_id.key and c.tenant_id = (select access.tenant_id()));
begin
    if v_contractor_id is null then
        perform access.refuse('QC202', format('there is no contractor "%s"', key),
            'Contractors are listed in contractor.contractors.');
    end if;
    return v_contractor_id;
end
$$;

comment on function contractor.contractor_id(text) is
    'The id of the contractor with this key. Errors: QC202 unknown contractor.';

create or replace function contractor.contractor_features(contractor_id uuid)
    returns contractor.feature_set
    language sql stable
return contractor.features_of(contractor.require(contractor_id));

comment on function contractor.contractor_features(uuid) is
    'What a contractor wants, as match_score reads it. Errors: 22004 null, QC202 unknown contractor,
QC405 someone else''s.';

-- As applications show it: the vector means nothing to a reader.
create or replace function contractor.features(contractor_id uuid)
    returns jsonb
    language sql stable
return to_jsonb(contractor.contractor_features(contractor_id)) - 'embedding';

comment on function contractor.features(uuid) is
    '{goal, role, revenue_band, team_size, segment, region, tech_stack, preferred_tracks}.
Errors: 22004 null, QC202 unknown contractor, QC405 someone else''s.';

grant execute on function contractor.segment(int)                               to concierge_app;
grant execute on function contractor.features_of(contractor.contractors)        to concierge_app;
grant execute on function contractor.require(uuid)                              to concierge_app;
grant execute on function contractor.contractor_id(text)                        to concierge_app;
grant execute on function contractor.contractor_features(uuid)                  to concierge_app;
grant execute on function contractor.features(uuid)                             to concierge_app;
