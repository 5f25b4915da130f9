-- From the text of a file to its header and sessions, whichever format it is in.
create or replace function event.parse_json(document text)
    returns jsonb
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_where  text;
    v_detail text;
begin
    return document::jsonb;
exception
    -- The last three: a number of a thousand digits, a text of 256 MB, a thousand brackets.
    when invalid_text_representation or untranslatable_character
        or numeric_value_out_of_range or program_limit_exceeded or statement_too_complex then
        -- PostgreSQL's context names the line: "JSON data, line 3: …".
        get stacked diagnostics v_where = pg_exception_context, v_detail = pg_exception_detail;
        perform event.refuse_schedule(
            coalesce(substring(v_where from 'JSON data, (line [0-9]+)'), 'the document'),
            coalesce(nullif(v_detail, ''), sqlerrm));
        return null;
end
$$;

comment on function event.parse_json(text) is 'The document as jsonb. Errors: QC204 with the line.';

create or replace function event.parse_xml(document text)
    returns xml
    language plpgsql immutable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_detail text;
begin
    -- The server reads no external entity and stops those that multiply; but a schedule needs none at all.
    if position('<!ENTITY' in split_part(document, '<schedule', 1)) > 0 then
        perform event.refuse_schedule('the document type', 'it declares entities, which are not read',
            'Export the file without a DOCTYPE.');
    end if;
    -- The declaration names the encoding the file once had; the text is the server's by now.
    return xmlparse(document regexp_replace(document, '^(\s*)<\?xml[^>]*\?>', '\1'));
exception
    when invalid_xml_document or invalid_xml_content then
        get stacked diagnostics v_detail = pg_exception_detail;
        perform event.refuse_schedule(coalesce(substring(v_detail from '(line [0-9]+)'), 'the document'),
            coalesce(substring(v_detail from 'line [0-9]+: ([^\n]+)'), sqlerrm));
        return null;
end
$$;

comment on function event.parse_xml(text) is 'The document as xml. Errors: QC204 with the line.';

create or replace function event.read_schedule(document text)
    returns event.schedule
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    -- Without the byte order mark; lines are counted from the first, also from an empty one.
    v_text     text := ltrim(document, E'\uFEFF');
    v_json     jsonb;
    v_xml      xml;
    v_schedule event.schedule;
begin
    if v_text !~ '\S' then
        perform access.refuse('QC205', 'the document is empty', 'Pass the text of the schedule file.');
    elsif v_text ~ '^\s*<' then
        v_xml := event.parse_xml(v_text);
        if not xpath_exists('/schedule', v_xml) then
            perform event.refuse_schedule('/', 'the root element is not <schedule>',
                'Pentabarf and frab XML begin with <schedule>.');
        end if;
        v_schedule.header := event.frab_xml_header(v_xml);
        v_schedule.items  := array(select i from event.frab_xml_items(v_xml) as i);
        return v_schedule;
    end if;

    v_json := event.parse_json(v_text);
    if jsonb_typeof(v_json) = 'array' and v_json <> '[]' then
        v_json := jsonb_build_object('talks', v_json);
    end if;
    if v_json #> '{schedule,conference}' is not null then
        v_schedule.header := event.frab_json_header(v_json);
        v_schedule.items  := array(select i from event.frab_json_items(v_json) as i);
    elsif jsonb_typeof(v_json) = 'object' and v_json ?| array['schedule', 'results', 'talks'] then
        v_schedule.header := event.pretalx_header(v_json);
        v_schedule.items  := array(select i from event.pretalx_items(v_json) as i);
    else
        perform access.refuse('QC205', 'the document is no schedule this server can read',
            'It reads frab or pretalx JSON and Pentabarf or frab XML.');
    end if;
    return v_schedule;
end
$$;

comment on function event.read_schedule(text) is
    'Header and sessions of a schedule in frab JSON, pretalx JSON, Pentabarf or frab XML.
Errors: QC204 malformed, with line or path, QC205 another format.';
-- All granted to nobody: the importer uses them as the owner.
