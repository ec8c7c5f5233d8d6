-- The newest heartbeat row. No row where the deployment writes none.
select id::text as id,
       to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at,
       lsn::text as lsn
from heartbeat
order by heartbeat.at desc
limit 1
