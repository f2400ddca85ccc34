import type { Client } from 'pg';
import { shareWork } from '../../../postgres/connect';

const [one, other] = [{}, {}] as [Client, Client];

test('each session takes the next piece as soon as it has done one', async () => {
  const taken: [boolean, number][] = [];
  await shareWork([one, other], [1, 2, 3, 4], async (client, piece) => {
    taken.push([client === one, piece]);
    if (piece === 1) await new Promise((resolve) => setTimeout(resolve, 100));
  });
  expect(taken).toEqual([
    [true, 1],
    [false, 2],
    [false, 3],
    [false, 4],
  ]);
});

test('after a failure nobody takes another piece, and what is under way is waited for', async () => {
  const done: number[] = [];
  const work = async (_client: Client, piece: number) => {
    if (piece === 2) throw new Error('refused');
    await new Promise((resolve) => setTimeout(resolve, 50));
    done.push(piece);
  };
  await expect(shareWork([one, other], [1, 2, 3, 4], work)).rejects.toThrow('refused');
  expect(done).toEqual([1]);
});
