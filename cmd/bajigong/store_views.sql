-- Views for reporting over the register's store on PostgreSQL, made by
-- `bajigong store views`. docs/reporting.md explains every column.
--
-- They read the JSON of the records and decode no key. Nothing sealed, no name,
-- document, certificate number, payer's reference or free text is in them; a holder
-- is a hash of his random id. security_barrier: a function in a query over a view
-- never sees a row of the store that the view leaves out.

create schema if not exists bajigong_report;
revoke all on schema bajigong_report from public;

-- What may have gone since an older release.
drop view if exists bajigong_report.totals;
drop view if exists bajigong_report.certificates;
drop view if exists bajigong_report.claims;
drop view if exists bajigong_report.claim_totals;
drop view if exists bajigong_report.sessions;
drop view if exists bajigong_report.filings;
drop view if exists bajigong_report.institutions;

create view bajigong_report.institutions with (security_barrier) as
select r->>'id' as institution, r->>'name' as name, r->>'uscc' as uscc, r->>'region' as region
from (select convert_from(value, 'UTF8')::jsonb as r from bajigong_kv where tbl = 'institutions') k;

create view bajigong_report.filings with (security_barrier) as
select r->>'id' as filing, r->>'institution' as institution, r->>'class' as class,
       r->>'province' as province, r->>'authority' as authority, r->>'document' as document,
       nullif(r->>'from', '')::date as valid_from, nullif(r->>'until', '')::date as valid_until,
       (r->>'recorded')::timestamptz as recorded
from (select convert_from(value, 'UTF8')::jsonb as r from bajigong_kv where tbl = 'filings') k;

create view bajigong_report.sessions with (security_barrier) as
select r->>'id' as session, r->>'institution' as institution, r->>'filing' as filing, r->>'region' as region,
       r->>'occupation' as occupation, r->>'trade' as trade, r->>'level' as level,
       coalesce(nullif(r->>'mode', ''), 'exam') as mode,
       nullif(r->>'exam_date', '')::date as exam_date, (r->>'planned')::timestamptz as planned, r->>'state' as state,
       (r->'results'->>'rows')::int as candidates, (r->'results'->>'passed')::int as passed,
       nullif(r->'publicity'->>'until', '')::date as publicity_until, (r->>'issued')::timestamptz as issued
from (select convert_from(value, 'UTF8')::jsonb as r from bajigong_kv where tbl = 'sessions') k;

-- Certificates that are public: those issued here whose batch is published, and
-- those registered from elsewhere or imported.
create view bajigong_report.certificates with (security_barrier) as
select c.r->>'origin' as origin, c.r->>'kind' as kind, c.r->>'mode' as mode, nullif(c.r->>'group', '') as person_group,
       nullif(c.r->>'institution', '') as institution, nullif(c.r->>'filing', '') as filing,
       nullif(c.r->>'session', '') as session, c.r->>'region' as region,
       case when c.r->>'kind' = 'level' then left(c.r->>'number', 1) end as class,
       c.r->>'occupation' as occupation, c.r->>'occupation_name' as occupation_name, nullif(c.r->>'trade', '') as trade,
       nullif(c.r->>'level', '') as level, nullif(c.r->>'issued', '')::date as issued,
       coalesce((b.r->>'published')::timestamptz, (c.r->>'created')::timestamptz) as received,
       (c.r->>'versions')::int as versions, c.r->>'status' as status,
       encode(sha256(convert_to('bajigong_report ' || (c.r->>'person'), 'UTF8')), 'hex') as holder
from (select convert_from(value, 'UTF8')::jsonb as r from bajigong_kv where tbl = 'certificates') c
left join (select convert_from(value, 'UTF8')::jsonb as r from bajigong_kv where tbl = 'batches') b
       on c.r->>'origin' = 'here' and b.r->>'id' = c.r->>'batch'
where c.r->>'origin' <> 'here' or b.r->>'state' = 'published';

-- Claims as they were last written: one that ran out stays reserved until something
-- is recorded on it. Money is in fen.
create view bajigong_report.claims with (security_barrier) as
select r->>'id' as claim, r->>'payer' as payer, r->>'region' as region, nullif(r->>'policy', '') as policy,
       (r->>'policy_version')::int as policy_version, nullif(r->>'fund', '') as fund, r->>'outcome' as outcome,
       r->>'state' as state, (r->>'amount_fen')::bigint as amount_fen, (r->>'year')::int as year,
       nullif(r->>'occupation', '') as occupation, nullif(r->>'level', '') as level,
       nullif(r->>'institution', '') as institution, nullif(r->>'issued', '')::date as certificate_issued,
       nullif(r->>'received', '')::date as received, (r->>'reserved')::timestamptz as reserved,
       (r->>'expires')::timestamptz as expires, r->'imported' is not null as imported,
       encode(sha256(convert_to('bajigong_report ' || (r->>'person'), 'UTF8')), 'hex') as holder
from (select convert_from(value, 'UTF8')::jsonb as r from bajigong_kv where tbl = 'claims') k;

-- The register's own totals of claims, by payer; kept in the same transaction as
-- the claims.
create view bajigong_report.claim_totals with (security_barrier) as
select r->>'region' as region, nullif(r->>'policy', '') as policy, (r->>'year')::int as year, r->>'payer' as payer,
       coalesce((r->>'reserved')::int, 0) as reserved, coalesce((r->>'imported')::int, 0) as imported,
       coalesce((r->>'refused')::int, 0) as refused, coalesce((r->>'confirmed')::int, 0) as confirmed,
       coalesce((r->>'refunded')::int, 0) as refunded, coalesce((r->>'duplicate')::int, 0) as duplicate,
       coalesce((r->>'paid_fen')::bigint, 0) as paid_fen, coalesce((r->>'returned_fen')::bigint, 0) as returned_fen,
       coalesce((r->>'refunded_fen')::bigint, 0) as refunded_fen
from (select convert_from(value, 'UTF8')::jsonb as r from bajigong_kv where tbl = 'claim_totals') k
where coalesce(r->>'payer', '') <> '';

-- Certificates by month of issue.
create view bajigong_report.totals with (security_barrier) as
select to_char(issued, 'YYYY-MM') as month, region, origin, class, level, occupation, person_group, mode,
       count(*) as issued, count(distinct holder) as holders, count(*) filter (where status = 'voided') as voided_since
from bajigong_report.certificates
group by 1, 2, 3, 4, 5, 6, 7, 8;
