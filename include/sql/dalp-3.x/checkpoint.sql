-- How far the index has come. One row a chain.
select chain_id::text as chain_id, block_number::text as block_number, block_hash from idxr_checkpoint order by 1
