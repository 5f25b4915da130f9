create or replace function model.tg__refuse_change()
    returns trigger
    language plpgsql volatile
    set search_path = pg_catalog, pg_temp
as $$
begin
    perform access.refuse('QC416', format('version %s of "%s" is registered, and stays as it is', old.version, old.name),
        'Register another version.');
    return null;
end
$$;

comment on function model.tg__refuse_change() is 'Row trigger: a version is what it was when it was registered. Errors: QC416.';

create or replace trigger versions_stay before update of tenant_id, name, version, content, variables
    on model.prompt_versions for each row execute function model.tg__refuse_change();

-- {{name}}, and nothing else that begins or ends like it: a mistyped variable would go out as it stands.
create or replace function model.check_prompt(content text, variables jsonb)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_used  text[] := array(
        select distinct m.part[1] from regexp_matches(content, '\{\{\s*([a-z][a-z0-9_]*)\s*\}\}', 'g') as m (part));
    v_left  text := regexp_replace(content, '\{\{\s*[a-z][a-z0-9_]*\s*\}\}', '', 'g');
    v_wrong text;
begin
    if nullif(btrim(content), '') is null then
        perform access.refuse('22004', 'a prompt says something', 'Pass its text.');
    elsif jsonb_typeof(variables) is distinct from 'object' then
        perform access.refuse('22023', 'variables are a JSON object', 'For example {"question": "text"}.');
    elsif v_left ~ '\{\{|\}\}' then
        perform access.refuse('QC228', format('in the prompt, "%s" is no variable', substring(v_left from '.{0,20}(?:\{\{|\}\}).{0,20}')),
            'A variable is written {{name}}, in small letters.');
    end if;
    select string_agg(format('"%s"', u), ', ' order by u) into v_wrong from unnest(v_used) as u where not variables ? u;
    if v_wrong is not null then
        perform access.refuse('QC228', format('the prompt uses %s, which is not declared', v_wrong),
            'Declare it with its type: text, number, boolean, time or json.');
    end if;
    select string_agg(format('"%s"', k), ', ' order by k) into v_wrong
    from jsonb_object_keys(variables) as k where k <> all (v_used);
    if v_wrong is not null then
        perform access.refuse('QC228', format('the prompt declares %s and does not use it', v_wrong), 'Leave it out.');
    end if;
    select string_agg(format('"%s" is %s', v.key, v.value), ', ' order by v.key) into v_wrong
    from jsonb_each(variables) as v
    where v.value not in ('"text"', '"number"', '"boolean"', '"time"', '"json"');
    if v_wrong is not null then
        perform access.refuse('QC228', format('of the variables, %s', v_wrong),
            'A type is text, number, boolean, time or json.');
    end if;
end
$$;

comment on function model.check_prompt(text, jsonb) is 'Refuses a prompt that cannot be filled in. Errors: QC228, 22004, 22023.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.register_prompt(
    name text, content text, variables jsonb default '{}', note text default null
)
    returns int
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_variable
declare
    v_tenant_id uuid;
    v_latest    model.prompt_versions;
    v_version   int;
begin
    perform access.require_role('organizer', 'service');
    perform model.check_prompt(content, variables);
    v_tenant_id := access.tenant_id();
    perform pg_advisory_xact_lock(hashtext('model.register_prompt'), hashtext(v_tenant_id || name));
    select * into v_latest from model.prompt_versions as p
    where p.tenant_id = v_tenant_id and p.name = register_prompt.name
    order by p.version desc limit 1;
    -- A script that is run again registers nothing new.
    if v_latest.content = content and v_latest.variables = variables then
        return v_latest.version;
    end if;
    insert into model.prompt_versions (tenant_id, name, version, content, variables, note, created_by)
    values (v_tenant_id, register_prompt.name, coalesce(v_latest.version, 0) + 1, register_prompt.content,
        register_prompt.variables, register_prompt.note, access.person_id())
    returning version into v_version;
    return v_version;
end
$$;

comment on function model.register_prompt(text, text, jsonb, text) is
    'Registers a version of a prompt and returns its number; the latest one, where nothing has changed. variables: {name: type}, of
type text, number, boolean, time or json, each used as {{name}}. Errors: QC401-QC403, QC405, QC228, 22004, 22023, 23514.';

grant execute on function model.register_prompt(text, text, jsonb, text) to concierge_app;

create or replace function model.label_prompt(name text, label text, version int)
    returns void
    language plpgsql volatile security definer
    set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    perform access.require_role('organizer', 'service');
    perform model.require_prompt(label_prompt.name, label_prompt.version, null);
    insert into model.prompt_labels as l (tenant_id, name, label, version)
    values (access.tenant_id(), label_prompt.name, label_prompt.label, label_prompt.version)
    on conflict (tenant_id, name, label) do update set version = excluded.version, moved_at = now();
end
$$;

comment on function model.label_prompt(text, text, int) is
    'Points a label, such as production, to a version of a prompt; where it pointed before is in the audit trail.
Errors: QC401-QC403, QC405, QC229 no such version, 23514.';

grant execute on function model.label_prompt(text, text, int) to concierge_app;

create or replace function model.require_prompt(name text, version int, label text)
    returns model.prompt_versions
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_prompt model.prompt_versions;
begin
    select p.* into v_prompt
    from model.prompt_versions as p
    where p.tenant_id = (select access.tenant_id()) and p.name = require_prompt.name
        and p.version = coalesce(require_prompt.version, (
            select l.version from model.prompt_labels as l
            where l.tenant_id = p.tenant_id and l.name = p.name and l.label = require_prompt.label));
    if not found then
        perform access.refuse('QC229', format('there is no prompt "%s" %s', name,
            coalesce('of version ' || version, format('labelled "%s"', label))),
            'model.prompt_versions and model.prompt_labels have them.');
    end if;
    return v_prompt;
end
$$;

comment on function model.require_prompt(text, int, text) is
    'A version of a prompt of the caller''s tenant, by its number or else a label. Errors: QC401-QC403, QC229 there is none.';
-- Granted to nobody: functions of this schema call it.

create or replace function model.written(type text, value jsonb)
    returns text
    language sql immutable
    set search_path = pg_catalog, pg_temp
return case
    when type = 'json' then jsonb_pretty(value)
    when type = 'text' and jsonb_typeof(value) = 'string' then value #>> '{}'
    when type = 'number' and jsonb_typeof(value) = 'number' then value #>> '{}'
    when type = 'boolean' and jsonb_typeof(value) = 'boolean' then case value #>> '{}' when 'true' then 'yes' else 'no' end
    when type = 'time' and jsonb_typeof(value) = 'string'
        and value #>> '{}' ~ '^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?([+-]\d{2}(:?\d{2})?|Z)?)?$' then value #>> '{}' end;

comment on function model.written(text, jsonb) is 'A variable''s value as a prompt has it; null for one that is not of its type.';
-- Granted to nobody: functions of this schema call it.

-- One pass: what a value says is never taken for a variable.
create or replace function model.fill_in(prompt model.prompt_versions, variable_values jsonb)
    returns text
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong text;
begin
    select string_agg(format('"%s" %s', coalesce(d.key, g.key), case
            when d.key is null then 'is not declared'
            when g.key is null then 'is missing'
            else 'is no ' || (d.type #>> '{}') end), ', ' order by coalesce(d.key, g.key))
    into v_wrong
    from jsonb_each(prompt.variables) as d (key, type)
    full join jsonb_each(variable_values) as g (key, value) on g.key = d.key
    where d.key is null or g.key is null or model.written(d.type #>> '{}', g.value) is null;
    if v_wrong is not null then
        perform access.refuse('QC228', format('prompt "%s" cannot be filled in: %s', prompt.name, v_wrong),
            'Pass a value of its type for each variable.');
    end if;
    return (
        select string_agg(p.part[1] || coalesce(
                model.written(prompt.variables ->> p.part[2], variable_values -> p.part[2]), ''), '' order by p.place)
        from regexp_matches(prompt.content || '{{', '(.*?)(?:\{\{\s*([a-z][a-z0-9_]*)\s*\}\}|\{\{$)', 'g')
            with ordinality as p (part, place));
end
$$;

comment on function model.fill_in(model.prompt_versions, jsonb) is
    'A prompt with its variables'' values. Errors: QC228 one is missing, unknown or of another type.';
-- Granted to nobody: functions of this schema and of chat call it.

create or replace function model.render_prompt(
    name text, variable_values jsonb default '{}', label text default 'production', version int default null
)
    returns text
    language sql stable security definer
    set search_path = pg_catalog, pg_temp
begin atomic
    select model.fill_in(model.require_prompt(render_prompt.name, render_prompt.version, render_prompt.label), variable_values)
    where (select access.has_role('organizer', 'service'));
end;

comment on function model.render_prompt(text, jsonb, text, int) is
    'A prompt as a model would get it, for organizers and services: of a version, or else of a label.
Errors: QC401-QC403, QC228, QC229.';

grant execute on function model.render_prompt(text, jsonb, text, int) to concierge_app;
