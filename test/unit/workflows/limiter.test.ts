import { Limiter } from '../../../workflows/limiter';

/** A limiter with tasks that note their begin and last until they are ended. */
function observed(slots: () => number) {
  const limiter = new Limiter(slots);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const run = (name: string, weight?: number) =>
    limiter.run(() => {
      begun.push(name);
      return new Promise<void>((resolve) => ends.set(name, resolve));
    }, weight);
  const end = async (name: string) => {
    ends.get(name)?.();
    await new Promise(setImmediate);
  };
  return { limiter, begun, run, end };
}

it('lets so many run at a time, the others in the order they came', async () => {
  const { begun, run, end } = observed(() => 2);
  const all = ['a', 'b', 'c', 'd'].map((name) => run(name));
  expect(begun).toEqual(['a', 'b']);
  await end('b');
  expect(begun).toEqual(['a', 'b', 'c']);
  await end('a');
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  await end('c');
  await end('d');
  await Promise.all(all);
});

it('begins at once where there is a slot, else with the heaviest', async () => {
  const { begun, run, end } = observed(() => 1);
  const all = [run('first', 1), run('light'), run('heavy', 9), run('middle', 5), run('equal', 5)];
  for (const name of ['first', 'heavy', 'middle', 'equal', 'light']) await end(name);
  expect(begun).toEqual(['first', 'heavy', 'middle', 'equal', 'light']);
  await Promise.all(all);
});

it('follows a changed number of slots', async () => {
  let slots = 1;
  const { limiter, begun, run, end } = observed(() => slots);
  const all = ['a', 'b', 'c', 'd'].map((name) => run(name));
  slots = 3;
  limiter.admit();
  expect(begun).toEqual(['a']);
  await new Promise(setImmediate);
  expect(begun).toEqual(['a', 'b', 'c']);
  slots = 1;
  await end('a');
  await end('b');
  expect(begun).toEqual(['a', 'b', 'c']);
  await end('c');
  expect(begun).toEqual(['a', 'b', 'c', 'd']);
  await end('d');
  await Promise.all(all);
});

it('gives the slot of a task that fails to the next', async () => {
  const limiter = new Limiter(() => 1);
  const failing = limiter.run(() => Promise.reject(new Error('no')));
  const next = limiter.run(() => Promise.resolve('yes'));
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});
