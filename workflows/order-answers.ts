import {
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  isCancellation,
  setHandler,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { ANSWER_SIGNAL, type DatabaseStatus, type OrderAnswer } from '../contract';
import { failureFields } from './failure';
import { isEnded, refuse } from './order-checks';

const answerSignal = defineSignal<[OrderAnswer]>(ANSWER_SIGNAL);

/** Of a migration: what its databases say to the orders they were handed. */
export class OrderAnswers {
  private readonly answers = new Map<string, OrderAnswer>();

  constructor() {
    setHandler(answerSignal, (answer) => void this.answers.set(answer.order, answer), {
      description: 'From the databases: an order is taken up, or cannot be',
    });
  }

  /**
   * Hands an order to a database and waits until that has taken it up.
   *
   * @param send under the order's name
   * @param standing how the database stands now
   * @throws ApplicationFailure the database's reason not to
   */
  async ask(
    send: (order: string) => Promise<void>,
    standing: () => DatabaseStatus | undefined,
  ): Promise<void> {
    if (!(await this.askUnlessEnded(send, standing))) {
      refuse('The database ended before this was taken up.', 'See flexlift show.');
    }
  }

  /**
   * As {@link ask}, for what an end of the database makes needless.
   *
   * @returns false where it has ended instead
   */
  async askUnlessEnded(
    send: (order: string) => Promise<void>,
    standing: () => DatabaseStatus | undefined,
  ): Promise<boolean> {
    const order = uuid4();
    await send(order);
    const hasEnded = () => {
      const database = standing();
      return database === undefined || isEnded(database);
    };
    await condition(() => this.answers.has(order) || hasEnded());
    const answer = this.answers.get(order);
    this.answers.delete(order);
    if (answer?.failure !== undefined) {
      const { sentence, remedy, code } = answer.failure;
      refuse(sentence, remedy, code);
    }
    return answer !== undefined;
  }
}

/**
 * Of a database: takes an order up and says so to who asked, or why it cannot be.
 *
 * @returns whether it was
 */
export async function takeUp(order: string, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    await answer({ order });
    return true;
  } catch (error) {
    if (isCancellation(error)) throw error;
    await answer({ order, failure: failureFields(error) });
    return false;
  }
}

async function answer(answer: OrderAnswer): Promise<void> {
  const { parent } = workflowInfo();
  if (parent === undefined) return;
  await getExternalWorkflowHandle(parent.workflowId).signal(answerSignal, answer);
}
