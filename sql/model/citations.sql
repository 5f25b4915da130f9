-- What of a context an intent asks for, a line each, with where it comes from.
create or replace function model.citations(intent text, context jsonb)
    returns jsonb
    language sql stable
    set search_path = pg_catalog, pg_temp
begin atomic
    select coalesce(jsonb_agg(jsonb_build_object(
            'n', c.n, 'kind', c.kind, 'id', c.id, 'title', c.title, 'line', c.line, 'url', c.url)
        order by c.n), '[]')
    from (
        select i.n, 'session' as kind, i.item ->> 'session_id' as id,
            i.item ->> 'session_title' as title, i.item ->> 'url' as url,
            concat_ws(', ',
                to_char((i.item ->> 'session_start')::timestamptz at time zone z.zone, 'Dy HH24:MI')
                    || '–' || to_char((i.item ->> 'session_end')::timestamptz at time zone z.zone, 'HH24:MI'),
                i.item ->> 'room',
                nullif((select string_agg(s, ' and ')
                        from jsonb_array_elements_text(i.item -> 'speakers') as s), ''),
                i.item ->> 'track') as line
        from jsonb_array_elements(context #> (case intent
                when 'now' then '{event,now_sessions}'
                when 'next' then '{event,next60_sessions}' end)::text[])
            with ordinality as i (item, n)
        cross join lateral (select context #>> '{event,time_zone}' as zone) as z
        where intent in ('now', 'next')
        union all
        select i.n, 'sponsor' as kind, i.item ->> 'sponsor_id', i.item ->> 'name', i.item ->> 'url',
            concat_ws(', ', 'booth ' || (i.item ->> 'booth'), i.item ->> 'tier',
                i.item #>> '{offers,0,title}')
        from jsonb_array_elements(context #> '{event,sponsor_shortlist}') with ordinality as i (item, n)
        where intent = 'sponsors'
        union all
        select i.n, 'action_item' as kind, i.item ->> 'action_item_id', i.item ->> 'title', null as url,
            concat_ws(', ', replace(i.item ->> 'status', '_', ' '),
                'due ' || to_char(
                    (i.item ->> 'due_at')::timestamptz at time zone (context #>> '{event,time_zone}'),
                    'Dy DD Mon HH24:MI'))
        from jsonb_array_elements(context #> '{contractor,action_items}') with ordinality as i (item, n)
        where intent = 'action_items'
    ) as c
    where c.n <= 3 or intent = 'action_items';
end;

comment on function model.citations(text, jsonb) is
    'What an answer to this intent cites: the first three items of the facet (all action items), each
{n, kind, id, title, line, url}.';

grant execute on function model.citations(text, jsonb) to concierge_app;
