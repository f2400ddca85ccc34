-- What the sample's files calculate with. All of it lives in the session's temporary schema and vanishes with it.
-- Content comes from arithmetic and SHA-2 alone: no random(), no now(), no md5() (refused by FIPS servers), no
-- hashtext() (differs between majors), so that every load on every major has the same rows.

-- So many rows: `per_megabyte` for each megabyte of the sample, never fewer than `least_rows`.
CREATE FUNCTION pg_temp.rows_for(per_megabyte numeric, least_rows integer DEFAULT 10) RETURNS integer
  LANGUAGE sql STABLE AS $$
    SELECT greatest(least_rows, round(per_megabyte * current_setting('sample.megabytes')::numeric)::integer)
  $$;

-- A number from 0 to 2^31 - 1 that looks like chance. `n` and `salt` together stay below 2^31.
CREATE FUNCTION pg_temp.mix(n bigint, salt bigint DEFAULT 0) RETURNS bigint
  LANGUAGE sql IMMUTABLE AS $$ SELECT (((n + salt * 7919) * 2654435761) >> 7) & 2147483647 $$;

CREATE FUNCTION pg_temp.pick(choices text[], n bigint) RETURNS text
  LANGUAGE sql IMMUTABLE AS $$ SELECT choices[1 + n % array_length(choices, 1)] $$;

CREATE FUNCTION pg_temp.uuid_of(n bigint) RETURNS uuid
  LANGUAGE sql IMMUTABLE AS $$ SELECT encode(substring(sha256(int8send(n)) FROM 1 FOR 16), 'hex')::uuid $$;

-- Bytes that don't compress, zero bytes among them.
CREATE FUNCTION pg_temp.bytes_of(seed bigint, size integer) RETURNS bytea
  LANGUAGE sql IMMUTABLE AS $$
    SELECT substring(coalesce(string_agg(sha512(int8send(seed * 1000000 + i)), '' ORDER BY i), '') FROM 1 FOR size)
    FROM generate_series(1, (size + 63) / 64) AS i
  $$;

CREATE FUNCTION pg_temp.words(n bigint, how_many integer) RETURNS text
  LANGUAGE sql IMMUTABLE AS $$
    SELECT string_agg((ARRAY[
      'quick', 'brown', 'copper', 'lamp', 'garden', 'winter', 'paper', 'mountain', 'river', 'blue', 'steel',
      'kettle', 'wool', 'bicycle', 'harbour', 'lemon', 'quiet', 'velvet', 'oak', 'glass', 'small', 'round'
    ])[1 + pg_temp.mix(n, i) % 22], ' ' ORDER BY i)
    FROM generate_series(1, how_many) AS i
  $$;

-- Seconds after 2024-01-01 UTC. Not by an interval: adding one is not immutable, so the function would not be inlined.
CREATE FUNCTION pg_temp.moment(seconds bigint) RETURNS timestamptz
  LANGUAGE sql IMMUTABLE AS $$ SELECT to_timestamp((1704067200 + seconds)::double precision) $$;
