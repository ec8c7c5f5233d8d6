-- Checks the pages of the relations it is given: heaps as `oid:first block:last block`, B-tree indexes by oid, of which `deep` are
-- compared with all rows of their table, and others by oid. A row a relation and finding; finding is empty where all is well.
-- Needs integrity_begin.sql; creates temporary functions, which may be rolled back; superuser.
select set_config('search_path', (
    select string_agg(quote_ident(name), ', ' order by place)
    from (
        select s as name, min(place) as place
        from (
            select s, place from unnest(current_schemas(false)) with ordinality as own(s, place)
            union all
            select n.nspname, 1000 from pg_extension e join pg_namespace n on n.oid = e.extnamespace where extname in ('amcheck', 'pg_prewarm')
        ) found
        group by s
    ) ordered), true);
create function pg_temp.heap_findings(relation regclass, first bigint, last bigint) returns setof text language plpgsql as $$
begin
    return query select format('block %s, offset %s, attribute %s: %s', blkno, offnum, coalesce(attnum::text, '-'), msg)
                 from verify_heapam(relation, check_toast := true, startblock := first, endblock := last);
exception when others then
    return next format('%s (%s)', sqlerrm, sqlstate);
end $$;
create function pg_temp.index_findings(relation regclass, deep boolean) returns setof text language plpgsql as $$
begin
    perform bt_index_check(relation, deep);
exception when others then
    return next format('%s (%s)', sqlerrm, sqlstate);
end $$;
create function pg_temp.other_findings(relation regclass) returns setof text language plpgsql as $$
begin
    perform pg_prewarm(relation, 'buffer');
exception when others then
    return next format('%s (%s)', sqlerrm, sqlstate);
end $$;
select 'heap' as kind, h.relation::text as relation, f as finding
from (
    select split_part(part, ':', 1)::oid::regclass as relation,
           nullif(split_part(part, ':', 2), '')::bigint as first,
           nullif(split_part(part, ':', 3), '')::bigint as last
    from unnest(string_to_array(:'heaps', ',')) part
) h
left join lateral pg_temp.heap_findings(h.relation, h.first, h.last) f on true
union all
select 'index', i::oid::regclass::text, f
from unnest(string_to_array(:'indexes', ',')) i
left join lateral pg_temp.index_findings(i::oid::regclass, i = any (string_to_array(:'deep', ','))) f on true
union all
select 'other', o::oid::regclass::text, f
from unnest(string_to_array(:'others', ',')) o
left join lateral pg_temp.other_findings(o::oid::regclass) f on true
