create or replace trigger versions_stay before update of tenant_id, name, version, prompt_version_id, model_id, fallback_ids,
    planner_id, parameters, actions, retrieval, caching
    on model.agent_versions for each row execute function model.tg__refuse_change();

create or replace function model.check_settings(settings jsonb, known text[], what text)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if jsonb_typeof(settings) is distinct from 'object' then
        perform access.refuse('22023', format('%s is a JSON object', what), 'Leave it out for what goes without saying.');
    end if;
    perform access.refuse_unknown(settings, known, 'QC230', what || ' has no');
end
$$;

comment on function model.check_settings(jsonb, text[], text) is 'Refuses an object with other keys. Errors: QC230, 22023.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.check_number(settings jsonb, key text, lowest numeric, highest numeric)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
begin
    if settings ? key and (jsonb_typeof(settings -> key) <> 'number' or not (settings ->> key)::numeric between lowest and highest) then
        perform access.refuse('22023', format('%s %s is not from %s to %s', key, settings -> key, lowest, highest),
            'Leave it out for what goes without saying.');
    end if;
end
$$;

comment on function model.check_number(jsonb, text, numeric, numeric) is 'Refuses a setting that is no number in its range. Errors: 22023.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.guarded_actions()
    returns text[]
    language sql immutable parallel safe
return '{create_action_item,update_action_item_status,capture_event_note,schedule_followup}'::text[];

comment on function model.guarded_actions() is 'What an agent can be allowed to do, and a turn does one of at most.';
-- Granted to nobody: functions of this schema and of chat call it.

create or replace function model.register_agent(
    name text, prompt text, model text, parameters jsonb default '{}', actions text[] default '{}',
    retrieval jsonb default '{}', fallbacks text[] default '{}', planner text default null, prompt_version int default null,
    caching jsonb default '{}'
)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_tenant_id uuid;
    v_version   int;
    v_prompt    model.prompt_versions;
begin
    perform access.require_role('organizer', 'service');
    perform model.check_settings(parameters,
        '{max_tokens,temperature,top_p,stop,seed,reasoning_effort}', 'parameters');
    perform model.check_settings(retrieval, '{workspace,max_results,budget_tokens,history_turns}', 'retrieval');
    perform model.check_settings(caching, '{seconds,similarity}', 'caching');
    if caching <> '{}' and not caching ? 'seconds' then
        perform access.refuse('22023', 'caching has "seconds"', 'How long may an answer be given again?');
    end if;
    perform model.check_number(retrieval, 'max_results', 1, 100), model.check_number(retrieval, 'budget_tokens', 1, 100000),
        model.check_number(retrieval, 'history_turns', 0, 100), model.check_number(caching, 'seconds', 1, 2592000),
        model.check_number(caching, 'similarity', 0.5, 1), model.check_number(parameters, 'max_tokens', 1, 1000000);
    if not actions <@ model.guarded_actions() then
        perform access.refuse('QC230', 'an agent takes actions that are there', array_to_string(model.guarded_actions(), ', ') || '.');
    end if;
    v_tenant_id := access.tenant_id();
    v_prompt := model.require_prompt(prompt, prompt_version, 'production');
    perform pg_advisory_xact_lock(hashtext('model.register_agent'), hashtext(v_tenant_id || name));
    insert into model.agent_versions (tenant_id, name, version, prompt_version_id, model_id, fallback_ids, planner_id,
        parameters, actions, retrieval, caching, created_by)
    select v_tenant_id, register_agent.name, 1 + coalesce(max(a.version), 0), v_prompt.prompt_version_id,
        (model.require_model(register_agent.model, 'generate')).model_id, array(
            select (model.require_model(f.name, 'generate')).model_id from unnest(fallbacks) with ordinality as f (name, place)
            order by f.place),
        (select (model.require_model(planner, 'generate')).model_id where planner is not null),
        register_agent.parameters, register_agent.actions, register_agent.retrieval, nullif(register_agent.caching, '{}'), access.person_id()
    from model.agent_versions as a
    where a.tenant_id = v_tenant_id and a.name = register_agent.name
    returning version into v_version;
    return v_version;
end
$$;

comment on function model.register_agent(text, text, text, jsonb, text[], jsonb, text[], text, int, jsonb) is
    'Registers a version of an agent, a draft, and returns its number: a prompt (of a version, or else the one labelled
production), a model, parameters {max_tokens, temperature, top_p, stop, seed, reasoning_effort}, the guarded actions it may take,
retrieval {workspace, max_results, budget_tokens, history_turns}, models to fall back to, one that plans where rules are unsure,
and caching {seconds, similarity}: for how long an answer may be given again, and how alike (cosine) another question has to be.
Errors: QC401-QC403, QC405, QC227 model, QC229 prompt, QC230, 22023, 23514.';

grant execute on function model.register_agent(text, text, text, jsonb, text[], jsonb, text[], text, int, jsonb) to concierge_app;

create or replace function model.require_agent(name text, version int)
    returns model.agent_versions
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_agent model.agent_versions;
begin
    select * into v_agent
    from model.agent_versions as a
    where a.tenant_id = (select access.tenant_id()) and a.name = require_agent.name
        and case when require_agent.version is null then a.state = 'active' else a.version = require_agent.version end;
    if not found then
        perform access.refuse('QC233', format('there is no agent "%s" %s', name,
            coalesce('of version ' || version, 'that is active')), 'model.agent_versions has them; model.promote makes one active.');
    end if;
    return v_agent;
end
$$;

comment on function model.require_agent(text, int) is
    'A version of an agent of the caller''s tenant; without a number, the active one. Errors: QC401-QC403, QC233 there is none.';
-- Granted to nobody: functions of this schema and of chat call it.

-- One statement moves both, so there is always one active version, and every turn that begins after commit has the new one.
create or replace function model.make_active(agent model.agent_versions)
    returns void
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform from model.agent_versions as a
    where a.tenant_id = agent.tenant_id and a.name = agent.name order by a.version for update;
    update model.agent_versions as a set state = 'retired'
    where a.tenant_id = agent.tenant_id and a.name = agent.name and a.state = 'active'
        and a.agent_version_id <> agent.agent_version_id;
    update model.agent_versions as a set state = 'active' where a.agent_version_id = agent.agent_version_id;
end
$$;

comment on function model.make_active(model.agent_versions) is 'Makes a version the active one; the one before is retired.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.promote(name text, version int)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_agent model.agent_versions;
begin
    perform access.require_role('organizer', 'service');
    v_agent := model.require_agent(name, version);
    perform model.end_rollout(r, case when r.candidate_id = v_agent.agent_version_id then 'promoted' else 'halted' end,
        format('version %s was promoted', v_agent.version))
    from model.rollouts as r
    where r.tenant_id = v_agent.tenant_id and r.name = v_agent.name and r.state = 'running';
    perform model.make_active(v_agent);
end
$$;

comment on function model.promote(text, int) is
    'Makes a version of an agent the active one at once, for every turn that begins from now on; so an earlier one is brought back,
too. A rollout that runs is over. Errors: QC401-QC403, QC405, QC233.';

grant execute on function model.promote(text, int) to concierge_app;
