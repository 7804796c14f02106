import { createDarajaClient, type DarajaClient, type SendToDaraja } from './client.ts'
import { PUSH_PATH } from './stk-push.ts'
import { TOKEN_PATH } from './token.ts'

/** Accounts that can be asking for a token at the same time; each asks once. */
const TOKEN_CONNECTIONS = 16

/**
 * Connections to Daraja, apart for pushes, tokens and the rest, so that none waits behind another kind: queries that Daraja
 * leaves hanging would hold every connection that payments need. As many of each as there are calls of it at once.
 */
export const createDarajaConnections = (options: {
  baseUrl: string
  timeoutMs: number
  pushes: number
  queries: number
}): DarajaClient => {
  const pushes = createDarajaClient({ ...options, connections: options.pushes })
  const tokens = createDarajaClient({ ...options, connections: TOKEN_CONNECTIONS })
  const queries = createDarajaClient({ ...options, connections: options.queries })
  const clientFor = (path: string): DarajaClient => {
    if (path === PUSH_PATH) return pushes
    return path.startsWith(TOKEN_PATH) ? tokens : queries
  }
  const send: SendToDaraja = (call) => clientFor(call.path).send(call)
  const close = async (): Promise<void> => {
    await Promise.all([pushes.close(), tokens.close(), queries.close()])
  }
  return { send, close }
}
