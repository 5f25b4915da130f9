-- HTML fragments and texts, as a reader gets them.
begin;
select plan(37);

select is(event.plain_text(content), plain, sentence)
from (values
    ('Two words',                         'Two words',                 'A text stays as it is'),
    ('  padded ' || E'\n',                'padded',                    'Space around it goes'),
    ('',                                  null,                        'An empty text is null'),
    (E' \n\t ',                           null,                        'Space alone is null'),
    ('<p></p><br/>',                      null,                        'Tags alone are null'),
    (null,                                null,                        'Null is null'),
    (E'one\r\ntwo\rthree',                E'one\ntwo\nthree',          'Line ends of every system become one'),
    (E'one  \n\n\n\n\ntwo',               E'one\n\ntwo',               'At most one empty line stands between paragraphs'),
    ('<p>One</p><p>Two</p>',              E'One\nTwo',                 'Paragraphs are lines'),
    ('a<br>b<BR />c',                     E'a\nb\nc',                  'A break is a line end, in any case'),
    ('<ul><li>one</li><li>two</li></ul>', E'- one\n- two',             'List items have dashes'),
    ('<h2>Title</h2>Text',                E'Title\nText',              'A heading has a line'),
    ('<a href="https://example.org/?a=1&amp;b=2">link</a>', 'link',    'A link is its text'),
    ('x<img src="a.png" alt="y">z',       'xz',                        'An image is nothing'),
    ('<b>bold</b> <script>alert(1)</script>text', 'bold text',         'A script goes with its content'),
    ('<script>alert(1)</script>text',     'text',                      'also where it is the only tag'),
    ('<style>p { color: red }</style><p>text</p>', 'text',             'So does a style'),
    ('<p>one <!-- hidden -->two</p>',     'one two',                   'A comment goes'),
    ('a < b and b > c',                   'a < b and b > c',           'A comparison is no tag'),
    ('std::vector<int> and <T>',          'std::vector<int> and <T>',  'Angle brackets of a text without HTML stay'),
    ('AT&amp;T &lt;3 &quot;x&quot; &apos;y&apos;', 'AT&T <3 "x" ''y''', 'XML''s five entities are characters'),
    ('a&nbsp;b',                          'a b',                       'A space that does not break is a space'),
    ('it&rsquo;s &ldquo;g&uuml;nstig&rdquo;&hellip;', 'it’s “günstig”…', 'So are those people write'),
    ('it&#39;s &#x2019;quoted&#X2019;',   'it''s ’quoted’',            'Numeric entities, decimal and hexadecimal'),
    ('&#x1F600;',                         '😀',                        'An emoji beyond the first plane'),
    ('&amp;lt;b&amp;gt;',                 '&lt;b&gt;',                 'What was escaped twice is unescaped once'),
    ('&#38;lt;',                          '&lt;',                      'Also when the ampersand is a number'),
    ('&#x26;amp;',                        '&amp;',                     'And when it stands for itself'),
    ('&unheardof; & Sons',                '&unheardof; & Sons',        'What is no entity stays'),
    ('a&#0;b&#xD800;c&#x110000;d',        'abcd',                      'Zero, surrogates and numbers beyond Unicode are nothing'),
    ('a&#7;b&#9;c&#x1b;d',                E'ab\tcd',                   'So are controls other than tabs and line ends'),
    ('back\slash &#92; \1 \&',            'back\slash \ \1 \&',        'Backslashes are only backslashes'),
    ('שלום <b>עולם</b>',                  'שלום עולם',                 'A text from right to left keeps its order'),
    ('日本語 🎉 naïve',                   '日本語 🎉 naïve',           'Any script, and emoji')
) as t (content, plain, sentence);

select ok(event.plain_text(repeat('<p>x &amp; y</p>', 20000)) = rtrim(repeat(E'x & y\n', 20000), E'\n'), 'A long text is read whole');
select ok(event.plain_text('<p>' || repeat('<', 50000)) = repeat('<', 50000), 'Brackets without end are no trap');
select ok(event.plain_text('<p>' || repeat('<script>', 20000) || '</style>') is null, 'nor are scripts');

select * from finish();
rollback;
