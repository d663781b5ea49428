-- One role a reader, so that each has the least it needs; what each may read is granted by the migrations.
select 'create role ' || name || ' login'
from unnest(array['postfleet', 'postfleet_ingress', 'postfleet_delivery']) as name
where not exists (select from pg_roles where rolname = name) \gexec
set log_statement = 'none';
alter role postfleet password :'owner';
alter role postfleet_ingress password :'ingress';
alter role postfleet_delivery password :'delivery';
select 'create database postfleet owner postfleet'
where not exists (select from pg_database where datname = 'postfleet') \gexec
