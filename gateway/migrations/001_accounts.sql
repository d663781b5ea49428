create table account (
  id int4 primary key generated always as identity,
  name text collate "C" not null unique,
  created_at timestamptz not null default now()
);

-- A key is shown once; kept are its SHA-256 and the last four characters for people to recognise it by. The secret has
-- 256 bits, so a plain fast hash is enough (OWASP ASVS 5.0, 6.5.2).
create table api_key (
  id text collate "C" primary key,
  account_id int4 not null references account (id),
  name text not null default '',
  hash bytea not null check (length(hash) = 32),
  last4 text not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
create index api_key_account on api_key (account_id);
