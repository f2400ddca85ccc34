import { Connection } from '@temporalio/client';

/** How long the histories of finished migrations are kept. */
const RETENTION_SECONDS = 30 * 24 * 60 * 60;
/** Milliseconds for one call to a server of this machine. */
const CALL_TIMEOUT = 5_000;

/**
 * Whether the server at `address` (`host:port`) answers and has the namespace, whose retention is then 30 days. `start-dev`
 * makes namespaces with one day and has no option for it.
 */
export async function prepareNamespace(address: string, namespace: string): Promise<boolean> {
  let connection: Connection;
  try {
    connection = await Connection.connect({ address, connectTimeout: 2_000 });
  } catch {
    return false;
  }
  try {
    await connection.withDeadline(Date.now() + CALL_TIMEOUT, () => ensureRetention(connection, namespace));
    return true;
  } catch {
    return false;
  } finally {
    await connection.close();
  }
}

async function ensureRetention(connection: Connection, namespace: string): Promise<void> {
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  const present = config?.workflowExecutionRetentionTtl?.seconds;
  if (!present) return;
  const missing = RETENTION_SECONDS - present.toNumber();
  if (missing <= 0) return;
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: { seconds: present.add(missing) } },
  });
}
