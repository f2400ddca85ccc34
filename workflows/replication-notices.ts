import { getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow';
import { REPLICATION_SIGNAL, type ReplicateStep, type ReplicationNotice } from '../contract';
import { numberAfter } from './notice-number';

/** What a replication tells its database: its state where that changes, and the orders that it has taken up. */
export class ReplicationNotices {
  /** To pause or resume; what they led to is not told yet. */
  private readonly orders: string[];
  private told: number;

  constructor({ orders = [], told }: Pick<ReplicateStep, 'orders' | 'told'>) {
    this.orders = [...orders];
    this.told = told;
  }

  noteOrder(order: string | undefined): void {
    if (order !== undefined) this.orders.push(order);
  }

  get hasOrders(): boolean {
    return this.orders.length > 0;
  }

  takeOrders(): string[] {
    return this.orders.splice(0);
  }

  get carriedOver(): Pick<ReplicateStep, 'orders' | 'told'> {
    return { orders: this.orders, told: this.told };
  }

  async send(notice: Omit<ReplicationNotice, 'told'>): Promise<void> {
    const { parent } = workflowInfo();
    if (parent === undefined) return;
    this.told = numberAfter(this.told);
    const database = getExternalWorkflowHandle(parent.workflowId);
    await database.signal<[ReplicationNotice]>(REPLICATION_SIGNAL, { ...notice, told: this.told });
  }
}
