create or replace function access.refuse_unknown(settings jsonb, known text[], code text, sentence text)
    returns void
    language plpgsql stable
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_word text := (select min(k) from jsonb_object_keys(settings) as k where k <> all (known));
begin
    if v_word is not null then
        perform access.refuse(code, format('%s "%s"', sentence, v_word), format('There are %s.', array_to_string(known, ', ')));
    end if;
end
$$;

comment on function access.refuse_unknown(jsonb, text[], text, text) is
    'Refuses an object with a key that is not known, by the caller''s code and sentence, which the key ends; the hint has those that are.';
-- Granted to nobody: functions that take settings call it.
