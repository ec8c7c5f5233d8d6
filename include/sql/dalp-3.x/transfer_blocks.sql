-- Digests of the index's blocks that have transfers, `:first` to `:last`, at most `:limit`; as in `transfer_ranges`.
select block_number::text as block_number,
       encode(sha256(convert_to(string_agg(
           lower(token) || ' ' || block_number || ' ' || log_index || ' ' || lower(tx_hash) || ' ' || lower(sender) || ' '
               || lower(recipient) || ' ' || value || E'\n', '' order by log_index), 'UTF8')), 'hex') as digest
from idxr_transfer
where block_number between :first and :last
group by block_number
order by idxr_transfer.block_number
limit :limit
