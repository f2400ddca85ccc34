import { InvalidArgumentError } from 'commander';

const FACTORS: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/** `512MB`, `1 GiB`, `65536`: bytes; a unit is a power of 1024, as in postgresql.conf. */
export function parseSize(text: string): number {
  const match = /^(\d+)\s*([kmgt]?)(?:i?b)?$/i.exec(text.trim());
  const bytes = Number(match?.[1]) * (FACTORS[(match?.[2] ?? '').toLowerCase()] ?? NaN);
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new InvalidArgumentError('Give a size such as 512MB or 1GB.');
}

/** `50MB/s`, `50MB`: bytes a second. */
export function parseRate(text: string): number {
  return parseSize(text.trim().replace(/\s*\/\s*s$/i, ''));
}

/** For a bound that can be taken away; commander would make an empty text of null. */
export function orNone(parse: (text: string) => number): (text: string) => number | 'none' {
  return (text) => (text === 'none' ? 'none' : parse(text));
}

export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new InvalidArgumentError('Give a whole number, at least 1.');
}

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `30s`, `5min`, `2h`, `7d`: milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+)\s*(ms|s|min|h|d)$/.exec(text.trim());
  const duration = Number(match?.[1]) * (MILLISECONDS[match?.[2] ?? ''] ?? NaN);
  if (Number.isSafeInteger(duration) && duration > 0) return duration;
  throw new InvalidArgumentError('Give a duration such as 500ms, 30s, 5min, 2h or 7d.');
}
