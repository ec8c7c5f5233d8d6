-- Tables (by oid) with their exact number of rows, a digest over all rows and columns, and the constraints that rows break; or why a
-- table could not be read. Indexes are not trusted: duplicates and orphans are looked for in the heaps themselves.
-- The digest is a sum, so that the order of rows does not matter; it can be compared between servers of one major version.
-- Creates temporary functions, which may be rolled back.
select set_config('enable_indexscan', 'off', true), set_config('enable_indexonlyscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true);
create function pg_temp.scanned(relation regclass, hash text) returns text[] language plpgsql as $$
declare
    conditions text;
    names text[];
    found text[];
    broken text[] := '{}';
begin
    select coalesce(string_agg(format(', count(*) filter (where %s)', condition), '' order by label), ''), array_agg(label order by label)
    into conditions, names
    from (
        select format('not null of column %I', attname) as label, format('dalp_dr_row.%I is null', attname) as condition
        from pg_attribute where attrelid = relation and attnotnull and attnum > 0 and not attisdropped
        union all
        select format('check %I', conname), format('not (%s)', pg_get_expr(conbin, conrelid))
        from pg_constraint where conrelid = relation and contype = 'c' and convalidated
    ) tests;
    execute format('select array[count(*), coalesce(sum(%s::numeric), 0) %s]::text[] from only %s dalp_dr_row', hash, conditions, relation)
    into found;
    for i in 1 .. coalesce(array_length(names, 1), 0) loop
        if found[i + 2] <> '0' then
            broken := broken || format('%s rows break %s', found[i + 2], names[i]);
        end if;
    end loop;
    return array[found[1], found[2], array_to_string(broken, '; ')];
end $$;
create function pg_temp.keys(relation regclass) returns setof text language plpgsql as $$
declare
    one record;
    n bigint;
begin
    for one in
        select c.conname, string_agg(quote_ident(a.attname), ', ') as columns,
               string_agg(quote_ident(a.attname) || ' is not null', ' and ') as whole
        from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
        where c.conrelid = relation and c.contype in ('p', 'u')
        group by c.oid, c.conname
    loop
        execute format('select count(*) from (select from only %s where %s group by %s having count(*) > 1) twice',
                       relation, one.whole, one.columns) into n;
        if n > 0 then
            return next format('%s keys are there twice, which breaks %I', n, one.conname);
        end if;
    end loop;
    for one in
        select c.conname, c.confrelid::regclass as parent,
               string_agg(format('parent.%I = child.%I', p.attname, a.attname), ' and ') as joined,
               string_agg(format('child.%I is not null', a.attname), ' and ') as whole
        from pg_constraint c
        cross join lateral unnest(c.conkey, c.confkey) as pair(own, other)
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = pair.own
        join pg_attribute p on p.attrelid = c.confrelid and p.attnum = pair.other
        where c.conrelid = relation and c.contype = 'f' and c.convalidated
        group by c.oid, c.conname, c.confrelid
    loop
        execute format('select count(*) from only %s child where %s and not exists (select from %s parent where %s)',
                       relation, one.whole, one.parent, one.joined) into n;
        if n > 0 then
            return next format('%s rows name nothing that exists, which breaks %I', n, one.conname);
        end if;
    end loop;
end $$;
create function pg_temp.content(relation regclass, out rows text, out digest text, out broken text, out error text) language plpgsql as $$
declare
    found text[];
begin
    begin
        found := pg_temp.scanned(relation, 'hash_record_extended(dalp_dr_row, 0)');
    exception when undefined_function then  -- a column's type cannot be hashed
        found := pg_temp.scanned(relation, 'hashtextextended(dalp_dr_row::text, 0)');
    end;
    rows := found[1];
    digest := found[2];
    select nullif(concat_ws('; ', nullif(found[3], ''), string_agg(k, '; ')), '') into broken from pg_temp.keys(relation) k;
exception when others then
    error := format('%s (%s)', sqlerrm, sqlstate);
end $$;
select format('%I.%I', n.nspname, c.relname) as name, e.rows, e.digest, e.broken, e.error
from unnest(string_to_array(:'tables', ',')) t
join pg_class c on c.oid = t::oid
join pg_namespace n on n.oid = c.relnamespace
cross join lateral pg_temp.content(c.oid::regclass) e
order by 1
