-- The index's transfers in one range of blocks, `:first` to `:last`, at most `:limit`.
select lower(token) as token, block_number::text as block_number, log_index::text as log_index, lower(tx_hash) as tx_hash,
       lower(sender) as sender, lower(recipient) as recipient, value::text as value
from idxr_transfer
where block_number between :first and :last
order by idxr_transfer.block_number, idxr_transfer.log_index
limit :limit
