-- Where the server is on its timeline, and the history file that tells where recovery stopped. One row; superuser.
with place as (
    select c.timeline_id, c.checkpoint_lsn, c.next_xid, s.system_identifier
    from pg_control_checkpoint() c, pg_control_system() s
)
select pg_is_in_recovery() as in_recovery,
       timeline_id::text as timeline,
       checkpoint_lsn::text as checkpoint_lsn,
       next_xid::text as next_xid,
       system_identifier::text as system_id,
       pg_read_file('pg_wal/' || lpad(upper(to_hex(timeline_id)), 8, '0') || '.history', 0, 1000000, true) as history
from place
