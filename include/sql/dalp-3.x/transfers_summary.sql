-- Transfers of the index: how many and how much, per token.
select lower(token) as token, count(*)::text as transfers, coalesce(sum(value), 0)::text as value
from idxr_transfer
group by 1
order by 1
