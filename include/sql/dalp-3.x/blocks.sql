-- The blocks that the index saw, with the hashes they had then.
select number::text as number, hash from idxr_block order by idxr_block.number
