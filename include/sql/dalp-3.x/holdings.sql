-- The application's own record of what accounts hold; an account without holdings is one row without a token.
select lower(a.address) as account, lower(h.token) as token, h.amount::text as amount
from account a left join holding h on h.account_id = a.id
order by 1, 2
