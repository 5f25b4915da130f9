-- The words Concierge knows without a model, in English, German, French and Spanish. Built-in rows follow
-- this file; rows a DBA adds stay.
with known (facet, value, language, pattern, weight) as (values
    ('class',  'question',     'any', '[?？؟]\s*$', 3),
    ('class',  'question',     'any', '^\s*¿', 3),
    ('class',  'question',     'en',
        '^\s*(what|when|where|who|whom|which|why|how|is|are|do|does|did|can|could|should|would|will|any)\M',
        2),
    ('class',  'question',     'de',
        '^\s*(was|wann|wo|wer|wen|welche[rsn]?|warum|wie|gibt es|kann|soll)\M', 2),
    ('class',  'question',     'fr',  '^\s*(que|quoi|quand|ou|qui|quel(le)?s?|pourquoi|comment|est-ce)\M', 2),
    ('class',  'question',     'es',  '^\s*(que|cuando|donde|quien|cual(es)?|por que|como|hay)\M', 2),
    ('class',  'request',      'en',
        '^\s*(please\s+)?(remind|book|schedule|create|add|send|show|tell|find|give|list|cancel|move|call|email|set up)\M', 2),
    ('class',  'request',      'de',  '^\s*(bitte\s+)?(erinnere|buche|zeig|finde|sende|erstelle|lege)\M', 2),
    ('class',  'request',      'fr',  '^\s*(rappelle|reserve|montre|envoie|cree|ajoute|trouve)', 2),
    ('class',  'request',      'es',  '^\s*(recuerdame|reserva|muestra|muestrame|envia|crea|anade|busca)', 2),
    ('class',  'small_talk',   'any',
        '^\s*¡?\s*(hi|hello|hey|thanks|thank you|good (morning|evening|afternoon)|bye|hallo|danke|bonjour|merci|hola|gracias)[\s!.,]*$', 4),
    ('intent', 'now',          'en',
        '\m(right now|on now|now|currently|at the moment|happening|going on)\M', 2),
    ('intent', 'now',          'de',  '\m(jetzt|gerade|momentan|im moment)\M', 2),
    ('intent', 'now',          'fr',  '\m(maintenant|en ce moment|actuellement)\M', 2),
    ('intent', 'now',          'es',  '\m(ahora|en este momento|actualmente)\M', 2),
    ('intent', 'next',         'en',
        '\m(next|upcoming|later|soon|after this|coming up|attend|next hour)\M', 3),
    ('intent', 'next',         'en',
        '\m(session|sessions|talk|talks|workshop|workshops|keynote|see|recommend|anything about)\M', 1),
    ('intent', 'next',         'en',  '\m(still to come|to come|tonight)\M', 3),
    ('intent', 'next',         'de',  '\m(als nachstes|nachste[rsn]?|danach|gleich|spater)\M', 3),
    ('intent', 'next',         'de',  '\m(vortrag|vortrage|sitzung|ansehen|besuchen)\M', 1),
    ('intent', 'next',         'fr',  '\m(prochaine?s?|ensuite|apres|tout a l.heure|suivante?s?)\M', 3),
    ('intent', 'next',         'fr',  '\m(conference|conferences|session|seance|voir)\M', 1),
    ('intent', 'next',         'es',  '\m(despues|siguientes?|proxim[oa]s?|luego|mas tarde)\M', 3),
    ('intent', 'next',         'es',  '\m(charla|charlas|sesion|sesiones|taller|talleres|ver)\M', 1),
    ('intent', 'sponsors',     'en',
        '\m(sponsors?|exhibitors?|booths?|vendors?|suppliers?|expo floor)\M', 5),
    ('intent', 'sponsors',     'de',  '\m(sponsor(en)?|aussteller|messestand|stand|stande)\M', 5),
    ('intent', 'sponsors',     'fr',  '\m(sponsors?|exposants?|stands?|fournisseurs?)\M', 5),
    ('intent', 'sponsors',     'es',  '\m(patrocinador(es)?|expositor(es)?|puestos?|proveedor(es)?)\M', 5),
    ('intent', 'action_items', 'en',
        '\m(action items?|to-?dos?|tasks?|my list|promised|commitments?|follow-?ups?|open items?)\M', 6),
    ('intent', 'action_items', 'de',  '\m(aufgaben?|to-?dos|erledigen|massnahmen)\M', 6),
    ('intent', 'action_items', 'fr',  '\m(taches?|actions a faire|a faire)\M', 6),
    ('intent', 'action_items', 'es',  '\m(tareas?|pendientes?|acciones)\M', 6)
), gone as (
    delete from chat.message_patterns as p
    where p.built_in and p.pattern not in (select k.pattern from known as k)
)
insert into chat.message_patterns as p (built_in, facet, value, language, pattern, weight)
select true, k.* from known as k
on conflict (pattern) do update
    set built_in = true, facet = excluded.facet, value = excluded.value, language = excluded.language,
        weight = excluded.weight;
