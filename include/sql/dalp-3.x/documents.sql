-- Rows that name objects in object storage.
select id::text as id, kind, bucket, object_key, version_id, size_bytes::text as size_bytes, lower(sha256) as sha256
from document
order by document.id
