-- What texts are made of, in many scripts and often wrongly; setseed() makes it the same again.
create function test.random_text(pieces int) returns text language sql volatile as $$
    select coalesce(string_agg(case
            when random() < 0.2 then (array['. ', '! ', '? ', '." ', E'\n', E'\n\n', E'\r\n', E'\r\n \r\n', E'\t', '  ', U&'\00a0', U&'\3000', U&'\2029', E'\f', '…', U&'\2009', '.) ', E'\r\r'])[1 + floor(random() * 18)::int]
            when random() < 0.1 then (array[E'\n# Title\n', E'\n## Part #\n', E'\n### A # b\r\n', E'\n#\n', E'\n```\n', E'\n~~~~ x\n', E'\n  ````\n', E'\n| a | b |\n', E'| 1 | 2. 3 |\n', E'|-|\n', '#', '`', '|', '~~~'])[1 + floor(random() * 14)::int]
            when random() < 0.2 then (array['。', '！', '？」', '、', '，', '；', '「', '”', '»', ')', '*', '_', '।', '؟', '」', U&'。\0301', U&'\FF61', '：'])[1 + floor(random() * 18)::int]
            when random() < 0.3 then (array[U&'\0301', U&'\200d', U&'\FE0F', U&'\+01F468', U&'\+01F3FD', U&'\+01F1E9', U&'\+01F1EA', U&'\20E3', U&'\1100', U&'\1161', U&'\11A8', U&'\AC00', U&'\094D', U&'\0915', U&'\093F', U&' \0301', U&'\0E33', U&'\+0E0067', U&'\3099', U&'\FE0F', U&'\200d', U&'\+01F1E9', U&'\200b', U&'\A960', U&'\D7B0', U&'\0600'])[1 + floor(random() * 26)::int]
            when random() < 0.1 then (array['漢字', '日', 'ภาษา', '한국', 'текст', 'שלום', 'नमस्ते', U&'\+020000'])[1 + floor(random() * 8)::int]
            when random() < 0.02 then repeat('long', 30)
            else ' ' || (array['a', 'the', 'word', 'words', 'é', 'naïve', 'ERR_42', 'v2.1.7', 'x', 'running', 'Straße', '10', 'e.g.', 'I', 'knowledge', 'isn''t'])[1 + floor(random() * 16)::int]
                || case when random() < 0.5 then ' ' else '' end
            end, '' order by n), '')
    from generate_series(1, pieces) as n
$$;
