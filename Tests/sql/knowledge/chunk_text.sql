-- A text in chunks: none lost, none too large, no grapheme cut, and the same again every time.
begin;
select no_plan();

create function test.chunks(content text, strategy text default 'recursive', unit text default 'characters', size int default 16, overlap int default 0) returns text[] language sql as $$
    select coalesce(array_agg(substr(content, c.starts_at + 1, c.ends_at - c.starts_at) order by c.ordinal), '{}')
    from knowledge.chunk_text_sql(content, strategy, unit, size, overlap) as c $$;
create function test.headings(content text, size int default 1000) returns text[] language sql as $$
    select coalesce(array_agg(c.heading order by c.ordinal), '{}') from knowledge.chunk_text_sql(content, 'markdown', 'characters', size, 0) as c $$;

-- Without what Unicode calls white space, whatever the locale does.
create function test.stripped(content text) returns text language sql as $$
    select btrim(content, E' \t\n\u000b\f\r\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000') $$;
create function test.is_mark(content text) returns boolean language sql as $$ select content ~ format('^[%s]', knowledge.grapheme_marks()) $$;

-- Nothing.
select is(test.chunks('', s), '{}', format('An empty text has no chunks (%s)', s)) from unnest('{whole,recursive,markdown}'::text[]) as s;
select is(test.chunks(E' \t\r\n\n\u00a0\u3000\u2029', s), '{}', format('nor has white space (%s)', s)) from unnest('{whole,recursive,markdown}'::text[]) as s;
select is_empty($$ select * from knowledge.chunk_text_sql(null, 'whole', 'tokens', 16, 0) $$, 'nor what is not there');

-- Whole.
select is(test.chunks(E'\n One. Two.\n\nThree. \n', 'whole'), array[E'One. Two.\n\nThree.'], 'Whole is one chunk, however large, without the white space around it');
select results_eq($$ select * from knowledge.chunk_text_sql(E'\n é text ', 'whole', 'tokens', 1, 0) $$, $$ values (0, 2, 8, '') $$, 'Offsets count code points');

-- Recursive.
select is(test.chunks('short'), '{short}', 'What fits is one chunk');
select is(test.chunks('aaa bbb ccc ddd eee'), '{aaa bbb ccc ddd,eee}', 'Words go in as long as they fit');
select is(test.chunks('aaa bbb ccc dddd eee'), '{aaa bbb ccc dddd,eee}', 'to the last character');
select is(test.chunks('aaa bbb ccc ddddd eee'), '{aaa bbb ccc,ddddd eee}', 'and no further');
select is(test.chunks('A cat sat. It purred then.'), array['A cat sat.', 'It purred then.'], 'A sentence end beyond half is taken before words');
select is(test.chunks('A cat. It purred a lot then.'), array['A cat. It purred', 'a lot then.'], 'not one before half');
select is(test.chunks(E'A cat. B\n\ndog sat. There it was.', size => 18), array[E'A cat. B\n\ndog sat.', 'There it was.'], 'nor a blank line before half');
select is(test.chunks(E'A big cat sat\n \r\nIt is. Then more.', size => 24), array['A big cat sat', 'It is. Then more.'], 'A blank line beyond half is taken before sentences, with blanks in it, too');
select is(test.chunks(E'A cat sat\nby it. Then more.', size => 18), array[E'A cat sat\nby it.', 'Then more.'], 'A line end is no blank line');
select is(test.chunks(E'A cat sat\r\nby it. Then more.', size => 18), array[E'A cat sat\r\nby it.', 'Then more.'], 'and CR LF is one line end');
select is(test.chunks(E'A big cat sat\r\rIt is. Then.', size => 22), array['A big cat sat', 'It is. Then.'], 'as CR is');
select is(test.chunks('He said "No way!" Then he left.', size => 20), array['He said "No way!"', 'Then he left.'], 'What closes behind a sentence end belongs to it');
select is(test.chunks('Version 3.14 is out. Now.', size => 22), array['Version 3.14 is out.', 'Now.'], 'A point in a number ends no sentence');
select is(test.chunks('Тест «один». Конец.', size => 13), array['Тест «один».', 'Конец.'], 'in Russian');
select is(test.chunks('क्या है। ठीक है।', size => 10), array['क्या है।', 'ठीक है।'], 'in Hindi');

-- Scripts without spaces.
select is(test.chunks('今天天气很好。我们去公园吧！真的吗？', size => 10), '{今天天气很好。,我们去公园吧！,真的吗？}', 'Chinese sentences end without a space');
select is(test.chunks('彼は「行く。」と言った、そして出た', size => 12), '{彼は「行く。」,と言った、そして出た}', 'what closes belongs to them');
select is(test.chunks('东京、大阪、京都、名古屋、札幌', size => 9), '{东京、大阪、京都、,名古屋、札幌}', 'and commas are breaks');
select is(test.chunks(repeat('漢字', 10), size => 8), '{漢字漢字漢字漢字,漢字漢字漢字漢字,漢字漢字}', 'Without either, between characters');

-- Units.
select is(test.chunks('日本語日本', unit => 'tokens', size => 2), '{日本,語日,本}', 'A token is four bytes: two of them hold two characters of three');
select is(test.chunks('abcd efg hij', unit => 'tokens', size => 2), '{abcd efg,hij}', 'or eight of one');

-- Words larger than a chunk, and graphemes.
select is(test.chunks(repeat('x', 40)), array[repeat('x', 16), repeat('x', 16), repeat('x', 8)], 'A huge word is cut');
select is(test.chunks('some ' || repeat('x', 20) || ' more'), array['some', repeat('x', 16), 'xxxx more'], 'from its beginning, and what is left goes on');
select is(test.chunks(repeat(g, 3), size => n), array_fill(g, array[3]), format('%s stays whole', what))
from (values
    (U&'e\0301',                                                'e with an accent', 3),
    (U&'\+01F468\200D\+01F469\200D\+01F467\200D\+01F466',       'A family', 12),
    (U&'\+01F44D\+01F3FD',                                      'A skin tone', 3),
    (U&'\2764\FE0F',                                            'A coloured heart', 3),
    (U&'\+01F1E9\+01F1EA',                                      'A flag', 3),
    (U&'\+01F3F4\+0E0067\+0E0062\+0E007F',                      'A flag of tags', 7),
    (U&'1\FE0F\20E3',                                           'A keycap', 5),
    (U&'\1112\1161\11AB',                                       'A syllable in jamo', 5),
    (U&'\0915\094D\0937\093F',                                  'A conjunct', 7),
    (U&'\0E01\0E33',                                            'Sara am', 3)) as t (g, what, n);
select is(test.chunks(U&'ab\+01F468\200D\+01F469\200D\+01F467cd', size => 3), array['ab', U&'\+01F468\200D\+01F469\200D\+01F467', 'cd'], 'One larger than a chunk is a chunk');
select is(test.chunks(repeat(U&'\+01F1E9\+01F1EA', 3) || U&'\+01F1E9', size => 3), array[U&'\+01F1E9\+01F1EA', U&'\+01F1E9\+01F1EA', U&'\+01F1E9\+01F1EA\+01F1E9'], 'Flags are counted in pairs');
select is(test.chunks(U&'aaa \0301bbb ccc', size => 8), array[U&'aaa \0301bbb', 'ccc'], 'A space that carries an accent is a letter');
select is(test.chunks(U&'aaa  \0301bbb ccc', size => 8), array['aaa', U&' \0301bbb', 'ccc'], 'the last of several');
select is(test.chunks(U&'你好！\FE0F你好。\3099好', size => 4), array[U&'你好！\FE0F', U&'你好。\3099', '好'], 'and a stop with a mark is one, too');

-- Overlap.
select is(test.chunks('aa bb cc dd ee ff gg hh', size => 12, overlap => 5), '{aa bb cc dd,cc dd ee ff,ee ff gg hh}', 'The next chunk begins with the last words');
select is(test.chunks('aa bb cc dd ee ff gg hh', size => 12, overlap => 4), '{aa bb cc dd,dd ee ff gg,gg hh}', 'as many as the overlap holds');
select is(test.chunks('aa bb cc dd eeeeeeeeee ff', size => 12, overlap => 5), '{aa bb cc dd,eeeeeeeeee,ff}', 'none, if the next word then does not fit');
select is(test.chunks('aa bb ' || repeat('x', 14), size => 12, overlap => 5), array['aa bb', repeat('x', 12), 'xx'], 'none before a word that does not fit at all');
select is(test.chunks('aa bb cc dd ee ff', unit => 'tokens', size => 3, overlap => 1), array['aa bb cc dd', 'dd ee ff'], 'In tokens, too');

-- Markdown.
select is(test.headings(E'Before.\n# One\nText.\n## Two ##\n### Three\n# Four #4\n#Not\n####### Not\n    # Not\n \n##\n### Five'),
    array['', 'One', 'One > Two', 'One > Two > Three', 'Four #4', 'Four #4', 'Four #4 > Five'], 'Headings make a path');
select is(test.headings(E'### Deep\n## Less\n#### Deeper\r\n# Top\r\n'), array['Deep', 'Less', 'Less > Deeper', 'Top'], 'and may skip levels');
select is(test.headings(E'# #5\n#\tTab \n# a#\n# a \\#\n# #\n#'), array['#5', 'Tab', 'a#', E'a \\#', '', ''], 'What closes a heading is no part of it');
select is(test.chunks(E'One.\n# Two\nThree.\n\n## Four', 'markdown', size => 1000), array['One.', E'# Two\nThree.', '## Four'], 'No chunk crosses a heading, which begins one');
select is(test.headings(E'# One\n```sh\n# no heading\n``\n~~~\n````\n# Two\n~~~ a`b\n# no\n~~~~\n``` a`b\n# Three\n   ```\n# no'), array['One', 'Two', 'Three'], 'In fenced code # is no heading; a fence closes with as many of its own, or never');
select is(test.chunks(E'Aaaa aaa. Bbbb bbb.\n```\nx\n\ny. z\n```\nAfter.', 'markdown', size => 20), array['Aaaa aaa. Bbbb bbb.', E'```\nx\n\ny. z\n```', 'After.'], 'Code that fits is not cut');
select is(test.chunks(E'Text. More\n  ```\na b c d e\nf g h i j\n```\nAfter.', 'markdown', size => 18), array[E'Text. More', E'```\na b c d e', E'f g h i j\n```', 'After.'], 'what does not, at line ends');
select is(test.chunks(E'Text.\n| a. b | c |\n|---|---|\n| d | e |\nAfter | it.', 'markdown', size => 32), array['Text.', E'| a. b | c |\n|---|---|\n| d | e |', 'After | it.'], 'A table that fits is not cut');
select is(test.chunks(E'| a b | c |\n|---|---|\n| d e | f |\n| g h | i |', 'markdown', size => 24), array[E'| a b | c |\n|---|---|', E'| d e | f |\n| g h | i |'], 'what does not, between rows');
select is(test.chunks(E'| a line. That begins so.', 'markdown'), array[E'| a line.', 'That begins so.'], 'One line is no table');
select results_eq($$ select distinct c.heading from knowledge.chunk_text_sql(E'# One\ntext', 'recursive', 'tokens', 16, 0) as c $$, $$ values ('') $$, 'Only Markdown has headings');

-- Refusals.
select throws_ok($$ select knowledge.chunk_text('a', 'by ear', 'tokens', 16, 0) $$, '22023', '"by ear" is no way to cut a text', 'A text is cut as is known');
select throws_ok($$ select knowledge.chunk_text('a', 'whole', 'pages', 16, 0) $$, '22023', '"pages" is no unit of a chunk''s size', 'and measured as is known');
select throws_ok(format($$ select knowledge.chunk_text('a', 'recursive', 'tokens', %s, %s) $$, size, overlap), '22023', format('chunks of %s that overlap by %s cannot be', size, overlap), format('Size %s and overlap %s cannot be', size, overlap))
from (values (0, 0), (-1, 0), (16, -1), (16, 8), (1, 1), (2147483647, 2147483647)) as t (size, overlap);
select lives_ok($$ select knowledge.chunk_text('a', 'recursive', 'tokens', 2147483647, 1073741823) $$, 'The largest can');

-- Properties, over random texts.
select setseed(0.5);
create temp table sample as
select n, strategy, unit, size, floor((size + 1) / 2 * random())::int as overlap, content
from (
    select n, (array['recursive', 'markdown'])[1 + n % 2] as strategy, (array['tokens', 'characters'])[1 + n / 2 % 2] as unit,
        (array[1, 3, 16, 40])[1 + n / 4 % 4] as size, test.random_text(n / 2) as content
    from generate_series(1, 400) as n) as t;
create temp table cut as
select s.*, c.ordinal, c.starts_at, c.ends_at, c.heading, substr(s.content, c.starts_at + 1, c.ends_at - c.starts_at) as chunk,
    lag(c.starts_at) over w as last_start, lag(c.ends_at) over w as last_end
from sample as s, knowledge.chunk_text_sql(s.content, s.strategy, s.unit, s.size, s.overlap) as c
window w as (partition by s.n order by c.ordinal);
select cmp_ok(count(*), '>', 1000::bigint, 'There is something to look at') from cut;
select is_empty($$ select n, ordinal, chunk from cut where ends_at <= starts_at or starts_at < 0 or ends_at > length(content) $$, 'Each is within the text, and not empty');
select is_empty($$ select n, ordinal, last_start, starts_at from cut where ordinal > 0 and (last_start is null or starts_at <= last_start or ends_at <= last_end) or ordinal = 0 and last_start is not null $$, 'They are in order and counted from 0');
select is_empty($$
    select n, ordinal, chunk from cut
    where test.stripped(left(chunk, 1)) = '' and not test.is_mark(substr(chunk, 2, 1)) or test.stripped(right(chunk, 1)) = '' $$, 'No white space is around them');
select is_empty($$ select n, ordinal, last_end, starts_at from cut where test.stripped(substr(content, last_end + 1, greatest(starts_at - last_end, 0))) <> '' $$, 'Between them is none but white space')
union all select is_empty($$
    select n from cut group by n, content
    having test.stripped(left(content, min(starts_at))) <> '' or test.stripped(substr(content, max(ends_at) + 1)) <> '' $$, 'nor before or after');
select is_empty($$ select n from sample where test.stripped(content) <> '' and n not in (select n from cut) $$, 'and no text is left out');
select is_empty($$
    select n, ordinal, chunk from cut
    where case unit when 'tokens' then ceil(octet_length(chunk) / 4.0) else length(chunk) end > size
        and (select count(*) from regexp_matches(chunk, format('.(?![%s])', knowledge.grapheme_marks()), 'g')) > 1
        and chunk !~ '[\u200d\u094d\u1100-\u11ff\ua960-\ua97c\uac00-\ud7fb\U0001f1e6-\U0001f1ff]' $$, 'None is larger than it may be, save for one grapheme');
select is_empty($$ select n, ordinal, chunk from cut where test.is_mark(chunk) and substr(content, starts_at, 1) !~ '[\t\n\v\f\r\u0085\u2028\u2029]' and starts_at > 0 $$, 'None begins with a mark')
union all select is_empty($$ select n, ordinal, chunk from cut where test.is_mark(substr(content, ends_at + 1, 1)) $$, 'none ends before one')
union all select is_empty($$ select n, ordinal, chunk, substr(content, ends_at - 3, 9) from cut where chunk ~ '\u200d$' and test.stripped(substr(content, ends_at + 1, 1)) <> '' $$, 'or behind a joiner')
union all select is_empty($$ select n, ordinal, chunk from cut where length(substring(left(content, ends_at) from '[\U0001f1e6-\U0001f1ff]*$')) % 2 = 1 and substr(content, ends_at + 1, 1) ~ '[\U0001f1e6-\U0001f1ff]' $$, 'or within a flag');
select is_empty($$
    select n, ordinal, last_end, starts_at from cut
    where starts_at < last_end and case unit when 'tokens' then ceil(octet_length(substr(content, starts_at + 1, last_end - starts_at)) / 4.0) else last_end - starts_at end > overlap $$,
    'No overlap is larger than it may be');
select cmp_ok(count(*), '>', 20::bigint, 'and some do overlap') from cut where starts_at < last_end;
select is_empty($$ select n, ordinal, starts_at, ends_at, heading from cut except select s.n, c.ordinal, c.starts_at, c.ends_at, c.heading from sample as s, knowledge.chunk_text(s.content, s.strategy, s.unit, s.size, s.overlap) as c $$, 'Another time they are the same');

-- A long text takes a second or two.
set local statement_timeout = '30s';
select cmp_ok((select count(*) from knowledge.chunk_text_sql(repeat(E'Lorem ipsum dolor sit amet, consectetur adipiscing elit. ', 18000), 'recursive', 'tokens', 256, 32)), '>', 1000::bigint, 'A megabyte is cut in no more than linear time');

select * from finish();
rollback;
