-- What the database consists of, with a digest of each definition; production and its copy are asked alike. `settled`: nothing of it was
-- changed by a transaction from :'horizon' on, which the copy cannot know of.
select set_config('search_path', '', true);
with own as (
    select oid, nspname, age(xmin) > age(:'horizon'::xid) as settled
    from pg_namespace
    where nspname not in ('pg_catalog', 'information_schema', 'dalp_dr_checks') and nspname !~ '^pg_(toast|temp)'
),
added as (select objid, classid from pg_depend where deptype = 'e')
select kind, name, md5(definition) as digest, case when settled then 'yes' else 'no' end as settled
from (
    select 'schema' as kind, quote_ident(nspname) as name, '' as definition, settled from own
    union all
    select 'extension', e.extname, e.extversion, age(e.xmin) > age(:'horizon'::xid)
    from pg_extension e where e.extname not in ('amcheck', 'pg_prewarm')
    union all
    select case c.relkind when 'r' then 'table' when 'p' then 'table' when 'v' then 'view' when 'm' then 'view' else 'sequence' end,
           format('%I.%I', o.nspname, c.relname),
           coalesce(pg_get_viewdef(case when c.relkind in ('v', 'm') then c.oid end), '') || coalesce((
               select string_agg(format('%I %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                                        coalesce(pg_get_expr(d.adbin, d.adrelid), '')), ',' order by a.attnum)
               from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
               where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and c.relkind <> 'S'), ''),
           age(c.xmin) > age(:'horizon'::xid)
           and (select coalesce(bool_and(age(a.xmin) > age(:'horizon'::xid)), true) from pg_attribute a where a.attrelid = c.oid)
    from pg_class c join own o on o.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'S') and not exists (select from added where objid = c.oid and classid = 'pg_class'::regclass)
    union all
    select 'index', format('%I.%I', o.nspname, c.relname), pg_get_indexdef(c.oid), age(c.xmin) > age(:'horizon'::xid)
    from pg_class c join own o on o.oid = c.relnamespace where c.relkind in ('i', 'I')
    union all
    select 'constraint', format('%s.%I', k.conrelid::regclass, k.conname), pg_get_constraintdef(k.oid), age(k.xmin) > age(:'horizon'::xid)
    from pg_constraint k join own o on o.oid = k.connamespace where k.conrelid <> 0
    union all
    select 'function', p.oid::regprocedure::text, pg_get_functiondef(p.oid), age(p.xmin) > age(:'horizon'::xid)
    from pg_proc p join own o on o.oid = p.pronamespace
    where p.prokind in ('f', 'p') and not exists (select from added where objid = p.oid and classid = 'pg_proc'::regclass)
    union all
    select 'trigger', format('%s.%I', t.tgrelid::regclass, t.tgname), pg_get_triggerdef(t.oid), age(t.xmin) > age(:'horizon'::xid)
    from pg_trigger t join pg_class c on c.oid = t.tgrelid join own o on o.oid = c.relnamespace where not t.tgisinternal
    union all
    select 'enum', format('%I.%I', o.nspname, t.typname), string_agg(e.enumlabel, ',' order by e.enumsortorder),
           bool_and(age(e.xmin) > age(:'horizon'::xid)) and age(t.xmin) > age(:'horizon'::xid)
    from pg_type t join own o on o.oid = t.typnamespace join pg_enum e on e.enumtypid = t.oid
    group by t.oid, o.nspname, t.typname, t.xmin
) objects
order by 1, 2
