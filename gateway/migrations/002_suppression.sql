-- Keyed by 128 bits of the SHA-256 of the normalised address (suppression_key.ts): half the size of a text key, and spread
-- evenly, so that it can be partitioned by hash when there are a hundred million.
create table suppression (
  account_id int4 not null references account (id),
  k uuid not null,
  addr text collate "C" not null,
  created_at timestamptz not null default now(),
  primary key (account_id, k)
);
