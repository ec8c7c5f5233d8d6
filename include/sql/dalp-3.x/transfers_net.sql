-- What the index's transfers add up to for each holder, without the zero address; to be held against the index's balances.
select lower(token) as token, lower(holder) as holder, sum(change)::text as balance
from (
    select token, recipient as holder, value as change from idxr_transfer
    union all
    select token, sender, -value from idxr_transfer
) moves
where holder <> '0x0000000000000000000000000000000000000000'
group by 1, 2
having sum(change) <> 0
order by 1, 2
