-- What a crawler reads: addresses, robots.txt, and the tags of pages.
begin;
select no_plan();

-- One way to write an address.
select is(knowledge.canonical_url(n.url, 'http://h.example/a/b/c?q'), n.wanted, coalesce(n.url, 'null') || ' is ' || coalesce(n.wanted, 'none')) from (values
    ('HTTP://H.Example:80/', 'http://h.example/'), ('https://h.example:443', 'https://h.example/'), ('https://h.example:8443/x', 'https://h.example:8443/x'),
    ('http://h.example:0080/', 'http://h.example/'), ('http://h.example:/', 'http://h.example/'), ('http://h.example.:80/', 'http://h.example/'),
    ('http://h.example/a/../b/./c/..', 'http://h.example/b/'), ('http://h.example/../../x', 'http://h.example/x'), ('http://h.example/a//b', 'http://h.example/a//b'),
    ('http://h.example/%7eann/%2E%2E/x%2f%3a', 'http://h.example/x%2F%3A'), ('http://h.example/a b"<>', 'http://h.example/a%20b%22%3C%3E'),
    ('http://h.example/straße', 'http://h.example/stra%C3%9Fe'), ('http://h.example/stra%c3%9fe', 'http://h.example/stra%C3%9Fe'), ('/日本/?q=ü', 'http://h.example/%E6%97%A5%E6%9C%AC/?q=%C3%BC'),
    ('http://h.example/100%', 'http://h.example/100%'), ('http://h.example/?', 'http://h.example/'), ('http://h.example/?a=1&b=/../x', 'http://h.example/?a=1&b=/../x'), ('http://h.example/x#part', 'http://h.example/x'),
    ('d', 'http://h.example/a/b/d'), ('./d', 'http://h.example/a/b/d'), ('../d', 'http://h.example/a/d'), ('/d', 'http://h.example/d'), ('?x', 'http://h.example/a/b/c?x'), ('', 'http://h.example/a/b/c?q'), ('#f', 'http://h.example/a/b/c?q'),
    ('//other.example/x', 'http://other.example/x'), (E' \n/d\t', 'http://h.example/d'), (E'/d\n/e', 'http://h.example/d/e'), ('\d', 'http://h.example/d'), ('http://[::1]:8080/', 'http://[::1]:8080/'),
    ('http://BÜCHER.example/ü', 'http://xn--bcher-kva.example/%C3%BC'), ('http://xn--bcher-kva.example', 'http://xn--bcher-kva.example/'), ('http://ｂüｃｈｅｒ。example.:80', 'http://xn--bcher-kva.example/'), ('https://日本語.テスト:8443/', 'https://xn--wgv71a119e.xn--zckzah:8443/'),
    ('http://h.example／evil/', null), ('http://user＠h.example/', null), ('http://h：80/', null), ('http://' || repeat('ü', 300) || '/', null), ('http://。/', null),
    ('mailto:a@b', null), ('javascript:alert(1)', null), ('ftp://h.example/', null), ('data:text/html,x', null), ('http://user:secret@h.example/', null), ('http:///x', null), ('http://', null), ('http://a b/', null),
    ('http://h.example:99999/', null), ('http://h.example:1234567890123/', null), ('http://h.example:x/', null), ('http://h.example/' || repeat('x', 2000), null), ('http://[::1/', null)
) as n (url, wanted);
select is(knowledge.canonical_url('d'), null, 'A relative address alone is none');
select is(knowledge.canonical_url(null), null, 'nor is nothing');
select is(knowledge.canonical_url(knowledge.canonical_url(u)), knowledge.canonical_url(u), 'What is canonical stays as it is')
from unnest(array['http://h/ä%C3%A4/%2e/a%%41', 'HTTP://H/%25%7E?%41=%zz']) as u;

-- RFC 3492; samples of its section 7.1, and others by Python's codec.
select is(knowledge.punycode(n.label), n.wanted, n.label) from (values
    ('bücher', 'bcher-kva'), ('straße', 'strae-oqa'), ('пример', 'e1afmkfd'), ('ليهمابتكلموشعربي؟', 'egbpdaj6bu4bxfgehfvwxn'), ('他们为什么不说中文', 'ihqwcrb4cv8a8dqg056pqjye'),
    ('3年b組金八先生', '3b-ww4c5e180e575a65lsy2b'), ('hello-another-way-それぞれの場所', 'hello-another-way--fc4qua05auwb3674vfr0b'), ('☃-⌘', '--dqo34k'), ('ü', 'tda'), ('💩', 'ls8h'), ('abc', 'abc-'), ('', '')
) as n (label, wanted);

-- RFC 9309.
create function test.allows(robots text, path text) returns boolean language sql as $$
    select knowledge.robots_allow(knowledge.read_robots(robots), knowledge.canonical_url('http://h.example' || path)) $$;
select is(test.allows(n.robots, n.path), n.wanted, concat_ws(' ', regexp_replace(n.robots, '\s+', ' ', 'g'), '-', n.path, n.wanted)) from (values
    ('', '/', true), (E'User-agent: *\nDisallow:', '/x', true), (E'User-agent: *\nDisallow: /', '/x', false), (E'User-agent: *\nDisallow: /', '/', false),
    (E'User-agent: *\nDisallow: /a\nAllow: /a/b', '/a/c', false), (E'User-agent: *\nDisallow: /a\nAllow: /a/b', '/a/b/c', true), (E'User-agent: *\nDisallow: /a\nAllow: /a', '/a', true), (E'User-agent: *\nDisallow: /a', '/b', true),
    (E'user-AGENT : *\r\nDISALLOW:/a#why\r\n', '/a', false), (E'User-agent: other\nDisallow: /', '/a', true), (E'User-agent: Concierge\nDisallow: /a\n\nUser-agent: *\nDisallow: /', '/b', true), (E'User-agent: *\nDisallow: /b\n\nUser-agent: concierge/1.0\nDisallow: /a', '/a', false),
    (E'User-agent: a\nUser-agent: concierge\nSitemap: x\nDisallow: /a', '/a', false), (E'User-agent: concierge\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: concierge\nDisallow: /b', '/b', false), (E'User-agent: concierge\nDisallow: /a\nUser-agent: x\nDisallow: /\nUser-agent: concierge\nDisallow: /b', '/c', true),
    (E'User-agent: conciergerie\nDisallow: /', '/a', true), (E'Disallow: /', '/a', true), (E'User-agent: *\nDisallow: *.php$', '/a.php', false), (E'User-agent: *\nDisallow: *.php$', '/a.php?x', true), (E'User-agent: *\nDisallow: /*/x', '/a/b/x1', false), (E'User-agent: *\nDisallow: /a$', '/a', false), (E'User-agent: *\nDisallow: /a$', '/ab', true),
    (E'User-agent: *\nDisallow: /a_b', '/axb', true), (E'User-agent: *\nDisallow: /a%25b', '/a%25b', false), (E'User-agent: *\nDisallow: /100%\\x', '/100%5Cx', true), (E'User-agent: *\nDisallow: /stra%c3%9fe', '/straße', false), (E'User-agent: *\nDisallow: /straße', '/stra%C3%9Fe/1', false), (E'User-agent: *\nDisallow: /a?b', '/a?bc', false),
    (E'\uFEFFUser-agent: *\nDisallow: /a', '/a', false), (E'User-agent: *\nDisallow: a', '/a', false), (E'User-agent: *\nDisallow: /a\rDisallow: /b', '/b', false)
) as n (robots, path, wanted);
select is(knowledge.read_robots(E'User-agent: *\nCrawl-delay: 2.5\nDisallow: /') ->> 'pause', '2.5', 'A delay is heeded');
select is(knowledge.read_robots(E'User-agent: *\nCrawl-delay: 86400') ->> 'pause', '60', 'up to a minute');
select is(knowledge.read_robots(E'User-agent: *\nCrawl-delay: soon') ->> 'pause', null, 'if it is one');
select is(knowledge.read_robots(repeat('x', 1000000)) -> 'rules', '[]', 'A megabyte of nothing is nothing');
select is(jsonb_array_length(knowledge.read_robots(E'User-agent: *\n' || repeat(E'Disallow: /aa\n', 80000)) -> 'rules'), 36570, 'of a long one half a megabyte counts');
select lives_ok($$ select knowledge.read_robots((select string_agg(chr(1 + (n * 7919) % 50000), '') from generate_series(1, 200000) as n)) $$, 'and rubbish is read');
select ok(test.allows(E'User-agent: *\nDisallow: /' || repeat('*a', 500) || '$', '/' || repeat('a', 900) || 'b'), 'A pattern made to be slow is not');

-- Pages.
select is(knowledge.without_scripts(n.html), n.wanted, n.name) from (values
    ('a<script>x</script>b<script src="y">z</script >c', 'a b c', 'Scripts go'), ('a<style>p{}</style>b', 'a b', 'and styles'), ('a<!-- <script> -->b', 'a b', 'and comments, with what they hold'),
    ('a<script>"<!--"</script>b', 'a b', 'what comes first decides'), ('a<script>never closed <p>b', 'a ', 'One that is not closed has no end'), ('a<SCRIPT>x</sCript>b', 'a b', 'large or small'), ('<scripture>x</scripture>', '<scripture>x</scripture>', 'Other tags stay')
) as n (html, wanted, name);
select results_eq($$ select attributes ->> 'href' from knowledge.html_tags('<A HREF=/a>x</a><a class="x > y" href="/b?a=1&amp;b=2">y</a><a title="href=/no" href=''/c''>z</a><abbr href=/no><a data-href=/no href = /d/><a href="/first" href="/second"><a href="unclosed>', '{a}') where attributes ? 'href' $$,
    array['/a', '/b?a=1&b=2', '/c', '/d/', '/first', ''], 'Tags are read as they are written') ;
select is((select row(h.*)::text from knowledge.html_head('<title lang=en> A &amp; B
    > C &#x27;d&#39; &#0; &unknown;</title><base href="/x/"><LINK rel=Canonical href="y"><meta name=ROBOTS content="NoIndex, follow">', 'http://h.example/a') as h),
    E'("A & B > C ''d'' \uFFFD &unknown;",http://h.example/x/,http://h.example/x/y,t,f)', 'What a page says of itself');
select is((select row(h.*)::text from knowledge.html_head('<p>', 'http://h.example/a') as h), '(,http://h.example/a,,f,f)', 'which may be nothing');
select results_eq($$ select url from knowledge.html_links('<a href=/a>1</a><a href="/a#x">2</a><a rel="me nofollow" href=/b><a href="mailto:x"><area href=c>', 'http://h.example/d/') order by place $$, array['http://h.example/a', 'http://h.example/d/c'], 'Links lead somewhere once');
select is((select count(*) from knowledge.html_links((select string_agg(format('<a class=x href="/p/%s?a=b&amp;c=d">link %s</a> text ', n, n), '') from generate_series(1, 10000) as n), 'http://h.example/')), 10000::bigint, 'Ten thousand are found');
select is((select count(*) from knowledge.html_links(repeat('<a href="', 100000), 'http://h.example/')), 1::bigint, 'Quotes that nobody closes cost nothing');
select is(length(knowledge.without_scripts(repeat('<script', 100000))), 1, 'nor do scripts');

select is(row(t.*)::text, n.wanted, coalesce(n.tags, 'null')) from (values
    (null, '(f,f)'), ('[]', '(f,f)'), ('["noindex"]', '(t,f)'), ('["NoIndex , NOFOLLOW"]', '(t,t)'), ('["none"]', '(t,t)'), ('["noarchive", "nofollow"]', '(f,t)'), ('["googlebot: none"]', '(f,f)'), ('["Concierge: noindex"]', '(t,f)'),
    ('["googlebot: nofollow", "noindex"]', '(t,f)'), ('["unavailable_after: 25 Jun 2030 15:00:00 PST, noindex"]', '(t,f)'), ('["max-snippet:-1, nofollow"]', '(f,t)'), ('["noindexing, indexnone"]', '(f,f)'), ('"noindex"', '(f,f)'), ('[7, null]', '(f,f)')
) as n (tags, wanted), knowledge.read_robots_tag(n.tags::jsonb) as t;

select * from finish();
rollback;
