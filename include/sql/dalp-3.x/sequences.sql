-- Sequences that fill columns: the value that comes next, and the furthest one in the column. A sequence that is behind makes the
-- first new row collide. Creates a temporary function, which may be rolled back.
create function pg_temp.state(sequence regclass, tbl regclass, col name, step bigint, out next text, out furthest text, out error text)
language plpgsql as $$
begin
    execute format('select case when is_called then last_value::numeric + %s else last_value end from %s', step, sequence) into next;
    execute format('select %s(%I) from %s', case when step > 0 then 'max' else 'min' end, col, tbl) into furthest;
exception when others then
    error := format('%s (%s)', sqlerrm, sqlstate);
end $$;
select f.sequence::text as sequence, format('%s.%s', f.tbl, f.col) as filled, s.seqincrement::text as step, e.next, e.furthest, e.error
from (
    select d.objid::regclass as sequence, d.refobjid::regclass as tbl, a.attname as col
    from pg_depend d
    join pg_class c on c.oid = d.objid and c.relkind = 'S'
    join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i')
    union
    select d.refobjid::regclass, x.adrelid::regclass, a.attname
    from pg_depend d
    join pg_attrdef x on x.oid = d.objid
    join pg_class c on c.oid = d.refobjid and c.relkind = 'S'
    join pg_attribute a on a.attrelid = x.adrelid and a.attnum = x.adnum
    where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass
) f
join pg_sequence s on s.seqrelid = f.sequence
cross join lateral pg_temp.state(f.sequence, f.tbl, f.col, s.seqincrement) e
order by 1, 2
