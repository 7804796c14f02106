import type { Acceptance, AcceptItem, AcceptParts } from '../../src/core/request/accept.ts'
import { createAcceptor } from '../../src/core/request/acceptor.ts'
import { forgetfulNumbers } from './forgetful-numbers.ts'

/** An acceptor for requests that have no limits to keep. */
export const createUnlimitedAcceptor = (
  options: Omit<AcceptParts, 'numbers'> & Partial<Pick<AcceptParts, 'numbers'>>,
) => {
  const acceptor = createAcceptor({ numbers: forgetfulNumbers, ...options })
  const add = async (item: AcceptItem): Promise<Acceptance> => {
    const acceptance = await acceptor.add(item)
    if (acceptance.kind === 'limited') throw new Error(`limited: ${acceptance.reason}`)
    return acceptance
  }
  return { ...acceptor, add }
}
