-- Indexes and constraints that PostgreSQL itself does not trust.
select 'invalid_index' as kind, i.indexrelid::regclass::text as name
from pg_index i
where not (i.indisvalid and i.indisready and i.indislive)
union all
select 'unvalidated_constraint', format('%s on %s', conname, conrelid::regclass)
from pg_constraint
where not convalidated
order by 1, 2
