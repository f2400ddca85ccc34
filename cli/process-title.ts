/**
 * Takes a password in the arguments out of the process list. Imported before all else, for loading the rest takes
 * long enough to be seen. A process without a password keeps its command line: the state directory knows it by that.
 */
const PASSWORD = /postgres(?:ql)?:\/\/[^/@]*:[^@]*@|\bpassword\s*=/i;

export function holdsPassword(argument: string): boolean {
  return PASSWORD.test(argument);
}

if (process.argv.slice(2).some(holdsPassword)) process.title = 'flexlift';
