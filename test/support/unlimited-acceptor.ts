import type { Acceptance, AcceptItem, AcceptOptions } from '../../src/core/payments/accept.ts'
import { createAcceptor } from '../../src/core/payments/acceptor.ts'

/** An acceptor for requests that have no limits to keep. */
export const createUnlimitedAcceptor = (options: AcceptOptions) => {
  const acceptor = createAcceptor(options)
  const add = async (item: AcceptItem): Promise<Acceptance> => {
    const acceptance = await acceptor.add(item)
    if (acceptance.kind === 'limited') throw new Error(`limited: ${acceptance.reason}`)
    return acceptance
  }
  return { ...acceptor, add }
}
