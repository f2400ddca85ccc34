/** Quoted names, string constants, words and numbers, then any other single character. */
const TOKEN = /"(?:[^"]|"")*"|[eE]?'(?:[^'\\]|''|\\[\s\S])*'|[\p{L}_][\p{L}\p{N}_$]*|\d[\d.eE]*|\S/gu;
const NAME = /^[\p{L}_"]/u;

export interface MajorPair {
  source: number;
  target: number;
}

interface Token {
  text: string;
  /** Where it begins in the SQL. */
  offset: number;
}

/**
 * Where two texts part that two majors deparsed, as an offset into each; `undefined`: they mean the same. White space
 * and quotes around plain names (the list of keywords grows) never count. What else an older major writes otherwise:
 * - before 16 a view over one table names its columns `t.a`, from 16 on `a`;
 * - before 12 a trigger executes a PROCEDURE, from 12 on a FUNCTION.
 *
 * All else counts: a constant, a column, a cast, a parenthesis.
 */
export function sqlDifference(
  source: string,
  target: string,
  majors: MajorPair,
): [number, number] | undefined {
  if (source === target) return undefined;
  const crosses = (major: number) => majors.source < major !== majors.target < major;
  const rules = { qualifiers: crosses(16), executeFunction: crosses(12) };
  const [a, b] = [tokens(source), tokens(target)];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (rules.qualifiers) {
      if (isQualified(a, i) && !isQualified(b, j) && a[i + 2]?.text === b[j]?.text) i += 2;
      else if (isQualified(b, j) && !isQualified(a, i) && b[j + 2]?.text === a[i]?.text) j += 2;
    }
    const same = a[i]?.text === b[j]?.text || (rules.executeFunction && executes(a, i) && executes(b, j));
    if (!same) break;
    i += 1;
    j += 1;
  }
  if (i === a.length && j === b.length) return undefined;
  return [a[i]?.offset ?? source.length, b[j]?.offset ?? target.length];
}

function tokens(sql: string): Token[] {
  return [...sql.matchAll(TOKEN)].map(({ 0: token, index: offset }) => {
    const isPlain = /^"[a-z_][a-z0-9_]*"$/.test(token);
    return { text: isPlain ? token.slice(1, -1) : token, offset };
  });
}

function isQualified(list: Token[], index: number): boolean {
  return NAME.test(list[index]?.text ?? '') && list[index + 1]?.text === '.';
}

function executes(list: Token[], index: number): boolean {
  return list[index - 1]?.text === 'EXECUTE' && ['PROCEDURE', 'FUNCTION'].includes(list[index]?.text ?? '');
}
