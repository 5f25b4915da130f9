-- JSON web tokens use the URL alphabet without padding (RFC 7515, section 2). Not strict and without a
-- pinned path, so that they are inlined: a token is checked in every query, and as calls these cost more
-- than the signature.
create or replace function access.base64url_decode(encoded text)
    returns bytea
    language sql immutable parallel safe
return decode(translate(encoded, '-_', '+/') || repeat('=', (4 - length(encoded) % 4) % 4), 'base64');

comment on function access.base64url_decode(text) is 'Bytes of a base64url text without padding (RFC 7515).';

create or replace function access.base64url_encode(bytes bytea)
    returns text
    language sql immutable parallel safe
return rtrim(translate(encode(bytes, 'base64'), E'+/\n', '-_'), '=');

comment on function access.base64url_encode(bytea) is
    'base64url text of the bytes, without padding (RFC 7515).';
-- Granted to nobody: token_identity and issue_token use them as the owner.
