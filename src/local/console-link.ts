import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { createLink, createOperator } from '../core/operators/operator.ts'
import { connectDatabase } from '../database/connect.ts'
import type { Log } from '../runtime/log.ts'
import { type Setup, urlOf } from './environments.ts'

/** The operator that `npm start` makes for the person at this machine. */
const NAME = 'local'

/**
 * A link that signs the person at this machine in to the console, once; null where they disabled that operator. The
 * address holds the code behind its `#`, which browsers do not send.
 */
export const linkToConsole = async (setup: Setup, log: Log): Promise<string | null> => {
  const database = connectDatabase({ databaseUrl: setup.databaseUrl, poolSize: 1, log })
  const actor = { kind: 'operator', name: 'npm start', from: hostname() } as const
  try {
    const known = await database
      .selectFrom('operators')
      .select('id')
      .where('name', '=', NAME)
      .executeTakeFirst()
    const code =
      known === undefined
        ? (await createOperator({ database, actor, randomBytes, name: NAME, role: 'money', password: null }))
            ?.code
        : await createLink({ database, actor, randomBytes, operatorId: known.id })
    return code ? `${urlOf(setup.addresses.console)}/sign-in/link#${code}` : null
  } finally {
    await database.destroy()
  }
}
