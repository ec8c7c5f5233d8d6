-- Tokens of the index with their supply.
select lower(address) as address, symbol, decimals::text as decimals, total_supply::text as total_supply from idxr_token order by 1
