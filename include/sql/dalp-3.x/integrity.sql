-- Checks every heap and every B-tree index, with all rows against their index entries. A row a relation and finding; finding is null
-- where all is well. Creates amcheck and two temporary functions, which may be rolled back; superuser.
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
select 'heap' as kind, c.oid::regclass::text as relation, f as finding
from pg_class c left join lateral pg_temp.heap_findings(c.oid::regclass) f on true
where c.relkind in ('r', 't', 'm') and c.relpersistence <> 't'
union all
select 'index', c.oid::regclass::text, f
from pg_class c
join pg_am a on a.oid = c.relam
join pg_index i on i.indexrelid = c.oid
left join lateral pg_temp.index_findings(c.oid::regclass) f on true
where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence <> 't' and i.indisvalid and i.indisready;
