-- What everybody's texts are searched for. Candidates are searched for in time linear in the text, and so
-- cheaply that a megabyte of nothing but them is no trouble. Patterns therefore
--   * begin behind a character that could not belong to them: a run is tried from its start alone,
--   * look behind by one character, never by more (that begins at the text's start again for each match), and
--     refer to nothing they matched,
--   * repeat without bounds, or by small ones: a count is so many states. Lengths are the validator's.
-- Digits and letters are ASCII, because in scripts without spaces a number stands right beside a word. Of
-- letters in e-mail addresses Latin, Greek and Cyrillic are known.
with known (name, kind, label, validator, confidence, context, pattern) as (values
    -- By issuer: Visa, Mastercard, Discover, UnionPay, JCB in fours; American Express and Diners Club
    -- 4-6-rest.
    ('card', 'card', 'card', 'luhn', 0.9, '{}',
        '(?<![0-9A-Za-z_])(?:'
        || '(?:4[0-9]{3}|5[1-5][0-9]{2}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)'
        || '|6(?:011|4[4-9][0-9]|[25][0-9]{2})|35(?:2[89]|[3-8][0-9]))'
        || '(?:(?:[ .\u00a0\u202f\u2010-\u2013-]| - )?[0-9]{4}){3}'
        || '|3(?:[47][0-9]|0[0-5]|[689][0-9])[0-9][ .\u00a0\u202f\u2010-\u2013-]?[0-9]{6}'
        || '[ .\u00a0\u202f\u2010-\u2013-]?[0-9]{4,5})(?![0-9A-Za-z_])(?![.,-][0-9])'),
    ('card_19', 'card', 'card', 'luhn', 0.9, '{}',
        '(?<![0-9A-Za-z_])(?:4[0-9]{3}|6(?:011|4[4-9][0-9]|[25][0-9]{2}))'
        || '(?:[ .\u00a0\u202f\u2010-\u2013-]?[0-9]{4}){3}[ .\u00a0\u202f\u2010-\u2013-]?[0-9]{3}'
        || '(?![0-9A-Za-z_])(?![.,-][0-9])'),
    -- Visa's old thirteen digits are a book's number more often.
    ('card_13', 'card', 'card', 'luhn', 0.2,
        '{card,visa,credit,debit,karte,kreditkarte,carte,tarjeta}',
        '(?<![0-9A-Za-z_])4[0-9]{12}(?![0-9A-Za-z_])(?![.,-][0-9])'),

    ('us_ssn', 'us_ssn', 'social security number', 'number', 0.85, '{}',
        '(?<![0-9A-Za-z_])(?!000|666|9)[0-9]{3}[\u2010-\u2013-](?!00)[0-9]{2}[\u2010-\u2013-](?!0000)[0-9]{4}'
        || '(?![0-9A-Za-z_])(?![.,/\u2010-\u2013-][0-9])'),
    ('us_ssn_bare', 'us_ssn', 'social security number', 'number', 0.2, '{ssn,social}',
        '(?<![0-9A-Za-z_])(?!000|666|9)[0-9]{3}[ .\u00a0]?(?!00)[0-9]{2}[ .\u00a0]?(?!0000)[0-9]{4}'
        || '(?![0-9A-Za-z_])(?![.,/-][0-9])'),

    ('email', 'email', 'email', 'email', 0.95, '{}',
        '(?<![0-9A-Za-z\u00c0-\u024f\u0370-\u052f._%+''-])[0-9A-Za-z\u00c0-\u024f\u0370-\u052f._%+''-]+'
        || '@[0-9A-Za-z\u00c0-\u024f\u0370-\u052f][0-9A-Za-z\u00c0-\u024f\u0370-\u052f.-]*'
        || '\.[A-Za-z\u00c0-\u024f\u0370-\u052f][0-9A-Za-z\u00c0-\u024f\u0370-\u052f-]*'
        || '[0-9A-Za-z\u00c0-\u024f\u0370-\u052f]'),

    ('phone_international', 'phone', 'phone', 'phone', 0.75, '{}',
        '(?<![0-9A-Za-z_+])\+[1-9](?:[ ./()\u00a0\u202f\u2010-\u2013-]{0,3}[0-9]){6,14}(?![0-9A-Za-z_])'),
    ('phone_us', 'phone', 'phone', 'number', 0.7, '{}',
        '(?<![0-9A-Za-z_+])(?:1[ .\u00a0-]?)?'
        || '(?:\([2-9](?!11)[0-9]{2}\)[ \u00a0-]?|[2-9](?!11)[0-9]{2}[ ./\u00a0\u2010-\u2013-])'
        || '[2-9](?!11)[0-9]{2}[ .\u00a0\u2010-\u2013-][0-9]{4}(?![0-9A-Za-z_])(?![.,/-][0-9])'),
    -- Without a plus, a telephone has to be spoken of.
    ('phone_bare', 'phone', 'phone', 'phone', 0.2,
        '{phone,phones,tel,telephone,call,calls,mobile,cell,cellphone,fax,sms,whatsapp,dial,ring,telefon,handy,'
        'mobil,anruf,rufnummer,téléphone,tél,portable,appelez,teléfono,móvil,llame}',
        '(?<![0-9A-Za-z_+])(?:\(?00?[1-9](?:[ ./()\u00a0-]{0,2}[0-9]){6,13}'
        || '|1?[2-9](?!11)[0-9]{2}[2-9](?!11)[0-9]{6})'
        || '(?![0-9A-Za-z_])(?![.,/:-][0-9])'),

    -- By length, for each country that has one.
    ('iban', 'iban', 'iban', 'iban', 0.95, '{}',
        '(?i)(?<![0-9a-z_])(?:'
        || 'no[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){2}[ \u00a0-]?[0-9a-z]{3}'
        || '|be[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){3}'
        || '|(?:dk|fi|fk|fo|gl|nl|sd)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){3}[ \u00a0-]?[0-9a-z]{2}'
        || '|(?:mk|si)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){3}[ \u00a0-]?[0-9a-z]{3}'
        || '|(?:at|ba|ee|kz|lt|lu|mn|xk)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){4}'
        || '|(?:ch|cr|hr|li|lv)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){4}[ \u00a0-]?[0-9a-z]'
        || '|(?:bg|bh|de|gb|ge|ie|me|rs|va)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){4}[ \u00a0-]?[0-9a-z]{2}'
        || '|(?:ae|gi|il|iq|om|so|tl)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){4}[ \u00a0-]?[0-9a-z]{3}'
        || '|(?:ad|cz|es|md|pk|ro|sa|se|sk|tn|vg)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){5}'
        || '|(?:ly|pt|st)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){5}[ \u00a0-]?[0-9a-z]'
        || '|(?:is|tr)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){5}[ \u00a0-]?[0-9a-z]{2}'
        || '|(?:bi|dj|fr|gr|it|mc|sm)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){5}[ \u00a0-]?[0-9a-z]{3}'
        || '|(?:al|az|by|cy|do|gt|hn|hu|lb|ni|pl|sv)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){6}'
        || '|(?:br|eg|ps|qa|ua)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){6}[ \u00a0-]?[0-9a-z]'
        || '|(?:jo|kw|mu|ye)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){6}[ \u00a0-]?[0-9a-z]{2}'
        || '|(?:mt|sc)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){6}[ \u00a0-]?[0-9a-z]{3}'
        || '|(?:lc)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){7}'
        || '|(?:ru)[0-9]{2}(?:[ \u00a0-]?[0-9a-z]{4}){7}[ \u00a0-]?[0-9a-z])(?![0-9a-z_])'),

    -- What providers begin their keys with.
    ('key_prefix', 'key', 'key', 'secret', 0.95, '{}',
        '(?<![0-9A-Za-z_-])(?:(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{16}(?![0-9A-Za-z])|[srp]k[-_][0-9A-Za-z_-]{16,}'
        || '|gh[opsur]_[0-9A-Za-z]{20,}|github_pat_[0-9A-Za-z_]{20,}'
        || '|glpat-[0-9A-Za-z_-]{16,}|xox[abeoprs]-[0-9A-Za-z-]{12,}'
        || '|AIza[0-9A-Za-z_-]{30,}|npm_[0-9A-Za-z]{30,}|hf_[0-9A-Za-z]{30,}'
        || '|SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,})'),
    ('key_jwt', 'key', 'key', null, 0.95, '{}',
        '(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]+\.eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]*'),
    ('key_bearer', 'key', 'key', 'secret', 0.9, '{}',
        '(?i)(?<![0-9a-z_])bearer\s+[0-9a-z._~+/-]{16,}=*'),
    -- One whose end is missing is private, too.
    ('key_block', 'key', 'key', null, 1, '{}',
        '-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----(?:\s*[A-Z][A-Za-z-]+: [^\n]*)*[0-9A-Za-z+/=\s\\]*'
        || '(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----)?'),
    ('key_assignment', 'key', 'key', 'secret', 0.9, '{}',
        '(?i)(?:password|passwd|passphrase|pwd|passwort|kennwort|contraseña|mot de passe'
        || '|secret|token|api[_ -]?key|access[_ -]?key)'
        || '["'']?(?:\s?(?:=>?|:=?)\s?(?:"[^"\n]+"|''[^''\n]+''|[^][\s"''<>(){},;&]+)'
        -- Between the fields of an address an & stands; in a sentence it is part of the password.
        || '|(?::\s|\s(?:is|ist|est|es)\s)[^][\s"''<>(){},;]+)'),
    ('key_in_url', 'key', 'key', 'secret', 1, '{}',
        '://[^\s/:@]+:[^\s/@]+@')
), gone as (
    delete from access.redaction_rules as r
    where r.tenant_id is null and r.name not in (select k.name from known as k)
)
insert into access.redaction_rules as r (name, kind, label, validator, confidence, context, pattern)
select k.name, k.kind, k.label, k.validator, k.confidence, k.context::text[], k.pattern from known as k
on conflict on constraint "a tenant has one rule of a name" do update
    set kind = excluded.kind, label = excluded.label, validator = excluded.validator,
        confidence = excluded.confidence, context = excluded.context, pattern = excluded.pattern,
        enabled = true
    where (r.kind, r.label, r.validator, r.confidence, r.context, r.pattern, r.enabled) is distinct from
        (excluded.kind, excluded.label, excluded.validator, excluded.confidence, excluded.context,
            excluded.pattern, true);
