-- What the integrity checks rest on. One row.
select current_setting('server_version') as server_version,
       current_setting('data_checksums') as data_checksums,
       current_setting('track_commit_timestamp') as track_commit_timestamp,
       (select sum(checksum_failures) from pg_stat_database)::text as checksum_failures
