-- Validators: which part of what a pattern found is private, and whether any. A pattern is one regular
-- expression and cannot count; here a candidate is short, and anything may be asked of it.
create or replace function access.passes_luhn(digits text)
    returns boolean
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_turned text := reverse(digits);
    v_sum    int  := 0;
begin
    -- Two at a time: a digit counts as its place in the first row, a doubled one, its digits summed, in the
    -- second.
    for i in 1 .. length(v_turned) by 2 loop
        v_sum := v_sum + strpos('0123456789', substr(v_turned, i, 1)) - 1
            + strpos('0516273849', substr(v_turned, i + 1, 1)) - 1;
    end loop;
    return v_sum % 10 = 0;
end
$$;

comment on function access.passes_luhn(text) is
    'Whether the last of the digits is the check digit of the others (ISO/IEC 7812-1).';
-- Granted to nobody: functions of this schema call it.

create or replace function access.passes_iban(iban text)
    returns boolean
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    -- The country and check digits come last; a letter is a number from 10 to 35.
    v_turned text := lower(substr(iban, 5) || left(iban, 4));
    v_number int;
    v_rest   int := 0;
begin
    for i in 1 .. length(v_turned) loop
        v_number := strpos('0123456789abcdefghijklmnopqrstuvwxyz', substr(v_turned, i, 1)) - 1;
        v_rest := (v_rest * case when v_number > 9 then 100 else 10 end + v_number) % 97;
    end loop;
    return v_rest = 1;
end
$$;

comment on function access.passes_iban(text) is
    'Whether the check digits of an IBAN without spaces are right (ISO 13616).';
-- Granted to nobody: functions of this schema call it.

create or replace function access.is_phone(candidate text)
    returns boolean
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_digits text := regexp_replace(candidate, '^00|[^0-9]', '', 'g');
begin
    -- A date: 01.02.2027, 1/2/27.
    if candidate ~ '^[0-9]{1,2}[./-][0-9]{1,2}[./-](?:[0-9]{4}|[0-9]{2})(?![0-9])' then
        return false;
    -- North America, and Russia with Kazakhstan, have as many digits as they have.
    elsif candidate ~ '^(?:\+|00)1' then
        return v_digits ~ '^1[2-9][0-9]{2}[2-9][0-9]{6}$';
    elsif candidate ~ '^(?:\+|00)7' then
        return length(v_digits) = 11;
    end if;
    return length(v_digits) >= 8
        and length(replace(candidate, '(', '')) = length(replace(candidate, ')', ''));
end
$$;

comment on function access.is_phone(text) is 'Whether digits in the shape of a telephone number can be one.';
-- Granted to nobody: functions of this schema call it.

create or replace function access.email_core(candidate text)
    returns text
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_core   text := ltrim(candidate, '.''%+-');
    v_local  text := split_part(v_core, '@', 1);
    v_domain text := split_part(v_core, '@', 2);
begin
    return case when length(v_core) <= 254 and length(v_local) >= 1 and length(v_local) <= 64
        and v_local !~ '\.\.|\.$' and v_domain !~ '\.\.|\.-|-\.'
        -- Where repositories are, a package at its version, and a picture for screens twice as fine.
        and lower(v_local) <> 'git' and v_domain !~ '^[0-9]+\.[0-9]|^[0-9]x\.' then v_core end;
end
$$;

comment on function access.email_core(text) is 'The e-mail address in what looks like one; null: it is none.';
-- Granted to nobody: functions of this schema call it.

-- A password is said in many ways, and so is that there is none yet. A bare word counts in quotes, or where
-- something is set to it without a space, as in a file of settings; elsewhere a secret is known by its
-- digits.
create or replace function access.secret_core(candidate text)
    returns text
    language plpgsql immutable strict parallel safe
    set search_path = pg_catalog, pg_temp
as $$
declare
    v_part text[];
    v_core text;
begin
    if candidate ~ '^://' then
        return btrim(candidate, ':/@');
    elsif candidate ~* '^bearer\s' then
        v_core := ltrim(substr(candidate, 7));
        return case when v_core ~ '[0-9]' then v_core end;
    elsif candidate !~ '[=:\s]' then
        -- What begins with sk- may be a name made of words.
        return case when candidate !~ '^[a-z]k[-_]' or candidate ~ '[0-9A-Za-z]{12}' and candidate ~ '[0-9]'
            then candidate end;
    end if;

    v_part := regexp_match(candidate,
        '^[^=:]*?["'']?(\s?(?:=>?|:=?)\s?|\s(?:is|ist|est|es)\s)(["'']?)(.*?)["'']?$', 'i');
    v_core := rtrim(v_part[3], '.');
    if length(v_core) < 4
        or v_core ~* '^(?:null|none|true|false|undefined|string|text|required|optional|hidden|changeme)$'
        or v_core ~* '^(?:your[-_ ]|example|[$%*{]|x+$)'
    then
        return null;
    end if;
    return case when v_core !~ '\s' and length(v_core) >= 6 and v_core ~ '[0-9]' and v_core ~ '[^0-9.,:/-]'
        or v_part[2] <> '' and v_core !~ '\s' and v_part[1] !~* '[a-z]'
        -- Not a name from a program, as in token=response.token.
        or v_part[1] = '=' and v_core !~ '^[A-Za-z_]+\.[A-Za-z_.]+$'
        then v_core end;
end
$$;

comment on function access.secret_core(text) is
    'The key, token or password in what looks like one with its name; null: there is none.';
-- Granted to nobody: functions of this schema call it.

create or replace function access.private_core(validator text, candidate text, before text)
    returns text
    language plpgsql immutable parallel safe
    set search_path = pg_catalog, pg_temp
as $$
begin
    if validator is null then
        return candidate;
    elsif validator = 'email' then
        return access.email_core(candidate);
    elsif validator = 'secret' then
        return access.secret_core(candidate);
    elsif validator = 'iban' then
        return case when access.passes_iban(regexp_replace(candidate, '[^0-9A-Za-z]', '', 'g'))
            then candidate end;
    -- Behind a digit and one of these it is the rest of a longer number: a fraction, a date, an identifier.
    elsif before ~ '[0-9][.,/-]$' then
        return null;
    elsif validator = 'luhn' then
        return case when access.passes_luhn(regexp_replace(candidate, '[^0-9]', '', 'g')) then candidate end;
    elsif validator = 'phone' then
        return case when access.is_phone(candidate) then candidate end;
    end if;
    return candidate;
end
$$;

comment on function access.private_core(text, text, text) is
    'The part of what a pattern found that is private, by a validator; null: it is not what it looks like.
before is the text that ends where it begins. Validators: number (not the rest of a longer one), luhn, iban,
phone, email, secret; null: all of it.';
-- Granted to nobody: functions of this schema call it.

-- A plain expression without a pinned path, so that it is inlined: it is asked for everything that is found.
create or replace function access.private_identity(validator text, value text)
    returns text
    language sql immutable parallel safe
return case
    when validator = 'email' then lower(value)
    when validator = 'iban' then upper(regexp_replace(value, '[^0-9A-Za-z]', '', 'g'))
    -- With or without the prefix of international calls, and North America's 1.
    when validator in ('number', 'luhn', 'phone') then
        regexp_replace(regexp_replace(value, '[^0-9]', '', 'g'), '^(?:00)?(?:1(?=[0-9]{10}$))?', '')
    else value
end;

comment on function access.private_identity(text, text) is
    'A private value in the one form that all ways to write it share, by its validator.';
-- Granted to nobody: functions of this schema call it.
