-- Transaction requests that are open, that completed without being indexed, and the newest ones (500, or one hour). `indexed`: the index has its transfer.
select r.id::text as id, r.kind, r.status, lower(r.token) as token, r.amount::text as amount, lower(a.address) as account,
       lower(b.address) as recipient, lower(r.tx_hash) as tx_hash, r.nonce::text as nonce,
       to_char(r.updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as updated_at,
       x.indexed
from transaction_request r
join account a on a.id = r.account_id
left join account b on b.id = r.recipient_account_id
cross join lateral (select exists (select from idxr_transfer t where t.tx_hash = r.tx_hash) as indexed) x
where r.status not in ('COMPLETED', 'FAILED', 'DEAD_LETTER', 'CANCELLED')
   or (r.status = 'COMPLETED' and not x.indexed)
   or r.id > (select coalesce(max(id), 0) - 500 from transaction_request)
   or r.updated_at > (select max(updated_at) - interval '1 hour' from transaction_request)
order by r.id
