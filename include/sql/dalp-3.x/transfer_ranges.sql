-- Transfers of the index by ranges of blocks: how many, how much, and a digest over every column of every row. A range has 100 blocks,
-- ten times as many for each power of ten that the checkpoint exceeds 200,000. Digest of a block: sha256 over its rows in the order of
-- log index, one line "token block log_index tx_hash sender recipient value" each; digest of a range: sha256 over its blocks' digests.
with width as (
    select (100 * power(10, ceil(greatest(0, log(greatest(block_number, 1)::numeric / 200000)))))::bigint as blocks from idxr_checkpoint order by block_number desc limit 1
),
per_block as (
    select block_number, count(*) as transfers, sum(value) as value,
           sha256(convert_to(string_agg(
               lower(token) || ' ' || block_number || ' ' || log_index || ' ' || lower(tx_hash) || ' ' || lower(sender) || ' '
                   || lower(recipient) || ' ' || value || E'\n', '' order by log_index), 'UTF8')) as digest
    from idxr_transfer
    group by block_number
)
select (block_number / blocks * blocks)::text as first, (block_number / blocks * blocks + blocks - 1)::text as last,
       sum(transfers)::text as transfers, sum(value)::text as value,
       encode(sha256(string_agg(digest, ''::bytea order by block_number)), 'hex') as digest
from per_block, width
group by block_number / blocks, blocks
order by block_number / blocks
