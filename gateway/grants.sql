do $$
begin
  if exists (select from pg_roles where rolname = 'postfleet_ingress') then
    grant select on account, api_key, suppression to postfleet_ingress;
  end if;
  if exists (select from pg_roles where rolname = 'postfleet_delivery') then
    grant select on account, suppression to postfleet_delivery;
  end if;
end
$$;
