-- Every table with its exact number of rows, or why it could not be counted; indexes and constraints that PostgreSQL itself does not
-- trust. Creates a temporary function, which may be rolled back.
create function pg_temp.exact_rows(relation regclass, out rows text, out error text) language plpgsql as $$
begin
    execute format('select count(*)::text from %s', relation) into rows;
exception when others then
    error := format('%s (%s)', sqlerrm, sqlstate);
end $$;
select 'table' as kind, format('%I.%I', n.nspname, c.relname) as name, e.rows, e.error
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
cross join lateral pg_temp.exact_rows(c.oid::regclass) e
where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
union all
select 'invalid_index', i.indexrelid::regclass::text, null, null
from pg_index i
where not (i.indisvalid and i.indisready and i.indislive)
union all
select 'unvalidated_constraint', format('%s on %s', conname, conrelid::regclass), null, null
from pg_constraint
where not convalidated
order by 1, 2
