-- Tables whose rows can be compared between production and its copy. `filenode` differs after a rewrite (VACUUM FULL, CLUSTER);
-- `hash`: `record` where PostgreSQL can hash every column's type, `text` otherwise; `key`: columns of the primary key.
select format('%I.%I', n.nspname, c.relname) as name,
       pg_relation_filenode(c.oid)::text as filenode,
       (pg_relation_size(c.oid) / current_setting('block_size')::int)::text as blocks,
       current_setting('block_size') as block_bytes,
       case when bool_and(coalesce(b.typtype = 'e' or b.typname in (
           'bool', 'int2', 'int4', 'int8', 'oid', 'text', 'varchar', 'bpchar', 'name', 'char', 'numeric', 'float4', 'float8', 'date', 'time',
           'timetz', 'timestamp', 'timestamptz', 'interval', 'uuid', 'bytea', 'jsonb', 'inet', 'cidr', 'macaddr', 'pg_lsn'), true))
           then 'record' else 'text' end as hash,
       coalesce((select string_agg(quote_ident(k.attname), ',' order by k.attnum)
                 from pg_index i join pg_attribute k on k.attrelid = c.oid and k.attnum = any (i.indkey)
                 where i.indrelid = c.oid and i.indisprimary), '') as key,
       string_agg(quote_ident(a.attname), ',' order by a.attnum) as columns
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_type t on t.oid = a.atttypid
left join pg_type b on b.oid = coalesce(nullif(t.typbasetype, 0), nullif(t.typelem, 0), t.oid)
where c.relkind = 'r' and c.relpersistence = 'p' and n.nspname not in ('pg_catalog', 'information_schema')
group by c.oid, n.nspname, c.relname
order by 1
