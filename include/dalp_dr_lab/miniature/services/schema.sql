create table heartbeat (
    id bigint generated always as identity primary key,
    at timestamptz not null default clock_timestamp(),
    lsn pg_lsn not null default pg_current_wal_insert_lsn()
);

create table account (
    id bigint generated always as identity primary key,
    name text not null unique,
    address text not null unique check (address = lower(address)),
    api_key_sha256 text not null unique,
    scope text not null default 'read' check (scope in ('read', 'write'))
);

create table idxr_checkpoint (
    chain_id bigint primary key,
    block_number bigint not null,
    block_hash text not null
);

create table idxr_block (
    number bigint primary key,
    hash text not null unique
);

create table idxr_token (
    address text primary key,
    symbol text not null,
    decimals integer not null,
    total_supply numeric(78, 0) not null default 0
);

create table idxr_transfer (
    token text not null references idxr_token (address),
    block_number bigint not null,
    log_index integer not null,
    tx_hash text not null,
    sender text not null,
    recipient text not null,
    value numeric(78, 0) not null,
    primary key (token, block_number, log_index)
);
create index idxr_transfer_tx on idxr_transfer (tx_hash);

create table idxr_balance (
    token text not null references idxr_token (address),
    holder text not null,
    balance numeric(78, 0) not null,
    primary key (token, holder)
);

create table holding (
    account_id bigint not null references account (id),
    token text not null,
    amount numeric(78, 0) not null,
    primary key (account_id, token)
);

create table transaction_request (
    id bigint generated always as identity primary key,
    account_id bigint not null references account (id),
    recipient_account_id bigint references account (id),
    kind text not null check (kind in ('mint', 'transfer')),
    token text not null,
    amount numeric(78, 0) not null check (amount > 0),
    status text not null default 'QUEUED' check (status in (
        'RECEIVED', 'QUEUED', 'PREPARING', 'PENDING_APPROVAL', 'SIGNING', 'BROADCASTING', 'CONFIRMING',
        'COMPLETED', 'FAILED', 'DEAD_LETTER', 'CANCELLED')),
    tx_hash text unique,
    nonce bigint,
    error text,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
);
create index transaction_request_open on transaction_request (id)
    where status not in ('COMPLETED', 'FAILED', 'DEAD_LETTER', 'CANCELLED');

create table document (
    id bigint generated always as identity primary key,
    account_id bigint not null references account (id),
    kind text not null check (kind in ('upload', 'export')),
    bucket text not null,
    object_key text not null,
    version_id text not null,
    size_bytes bigint not null,
    sha256 text not null,
    created_at timestamptz not null default clock_timestamp()
);

create table delivery (
    id bigint generated always as identity primary key,
    request_id bigint not null references transaction_request (id),
    channel text not null check (channel in ('webhook', 'mail')),
    attempts integer not null default 0,
    next_attempt_at timestamptz not null default clock_timestamp(),
    delivered_at timestamptz
);

create table exchange_rate (
    at timestamptz primary key default clock_timestamp(),
    pair text not null,
    rate numeric(18, 6) not null
);
