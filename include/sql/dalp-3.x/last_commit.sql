-- The newest commits by their own timestamps, whatever they wrote; needs track_commit_timestamp.
with bounds as (select pg_snapshot_xmax(pg_current_snapshot())::text::numeric as next),
     recent as (
         select mod(x, 4294967296) as xid
         from bounds, generate_series(greatest(next - 20000, 3), next - 1) x
     ),
     commits as (
         select xid, pg_xact_commit_timestamp(xid::text::xid) as at from recent where xid >= 3
     )
select xid::text as xid, to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as committed_at
from commits
where at is not null
order by at desc
limit 500
