create or replace function access.person_id()
    returns uuid
    language sql stable parallel safe
return (access.me()).person_id;

comment on function access.person_id() is 'The signed-in person. Errors: QC401, QC402, QC403.';

grant execute on function access.person_id() to concierge_app, concierge_admin;
