const NAMES_SHOWN = 5;

/** `a, b and 7 more`. */
export function enumerate(names: string[], total = names.length): string {
  const shown = names.slice(0, NAMES_SHOWN);
  return total > shown.length ? `${shown.join(', ')} and ${total - shown.length} more` : shown.join(', ');
}
