-- Every relation whose pages must be sound, largest first. `kind`: heap and index are amcheck's, of any other every page is read.
-- `heap_bytes`: of an index's table. `content`: `yes` for tables with rows of the application.
select c.oid::text as oid,
       case when c.relkind in ('r', 't', 'm') then 'heap' when a.amname = 'btree' then 'index' else 'other' end as kind,
       c.oid::regclass::text as relation,
       format('%I.%I', n.nspname, c.relname) as name,
       pg_relation_size(c.oid)::text as bytes,
       coalesce(pg_relation_size(i.indrelid), 0)::text as heap_bytes,
       current_setting('block_size') as block_bytes,
       case when c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') then 'yes' else 'no' end as content
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_am a on a.oid = c.relam
left join pg_index i on i.indexrelid = c.oid
where c.relpersistence <> 't' and c.relkind in ('r', 't', 'm', 'i', 'S') and (c.relkind <> 'i' or (i.indisvalid and i.indisready))
order by pg_relation_size(c.oid) desc, c.oid
