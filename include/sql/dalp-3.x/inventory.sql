-- Every table with its exact number of rows; indexes and constraints that PostgreSQL itself does not trust.
select 'table' as kind,
       format('%I.%I', n.nspname, c.relname) as name,
       (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I.%I', n.nspname, c.relname), false, true, '')))[1]::text
           as rows
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
union all
select 'invalid_index', i.indexrelid::regclass::text, null
from pg_index i
where not (i.indisvalid and i.indisready and i.indislive)
union all
select 'unvalidated_constraint', format('%s on %s', conname, conrelid::regclass), null
from pg_constraint
where not convalidated
order by 1, 2
