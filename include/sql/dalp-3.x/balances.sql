-- Balances of the index.
select lower(token) as token, lower(holder) as holder, balance::text as balance from idxr_balance order by 1, 2
