-- Checks every heap and every B-tree index, with all rows against their index entries. A script of several statements, run by
-- psql as superuser with -q -A -t; prints one JSON object a line: {"kind", "relation", "finding"}, finding null where all is well.
create extension if not exists amcheck;
create function pg_temp.heap_findings(relation regclass) returns setof text language plpgsql as $$
begin
    return query select format('block %s, offset %s, attribute %s: %s', blkno, offnum, coalesce(attnum::text, '-'), msg)
                 from verify_heapam(relation, check_toast := true);
exception when others then
    return next format('%s (%s)', sqlerrm, sqlstate);
end $$;
create function pg_temp.index_findings(relation regclass) returns setof text language plpgsql as $$
begin
    perform bt_index_check(relation, true);
exception when others then
    return next format('%s (%s)', sqlerrm, sqlstate);
end $$;
select json_build_object('kind', 'heap', 'relation', c.oid::regclass::text, 'finding', f)
from pg_class c left join lateral pg_temp.heap_findings(c.oid::regclass) f on true
where c.relkind in ('r', 't', 'm') and c.relpersistence <> 't'
union all
select json_build_object('kind', 'index', 'relation', c.oid::regclass::text, 'finding', f)
from pg_class c
join pg_am a on a.oid = c.relam
join pg_index i on i.indexrelid = c.oid
left join lateral pg_temp.index_findings(c.oid::regclass) f on true
where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence <> 't' and i.indisvalid and i.indisready;
