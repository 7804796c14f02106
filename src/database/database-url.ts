import { Client } from 'pg'
import { BadSettings } from '../runtime/config.ts'

/** By these a URL would have its way with what every session of the gateway has. */
const OURS = [
  'application_name',
  'client_encoding',
  'fallback_application_name',
  'idle_in_transaction_session_timeout',
  'lock_timeout',
  'query_timeout',
  'statement_timeout',
]

/**
 * What `pg` is to be given of a URL. `pg` takes what stands in a URL's query in the place of what it is told beside it:
 * one setting in `options` would do away with all of ours, `synchronous_commit` among them, on which law 1 rests. So
 * `options` are handed back, to be put before ours, of which the last counts, and the other names are dropped. Throws
 * `BadSettings` for what `pg` cannot read, as a file with certificates that is not there.
 */
export const readDatabaseUrl = (databaseUrl: string): { connectionString: string; options: string } => {
  const { connectionString, options } = withoutOurs(databaseUrl)
  try {
    // It parses, and connects to nothing.
    void new Client({ connectionString })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BadSettings(`DATABASE_URL must be one that can be read: ${reason}`)
  }
  return { connectionString, options }
}

const withoutOurs = (databaseUrl: string): { connectionString: string; options: string } => {
  const url = URL.parse(databaseUrl)
  const options = url?.searchParams.get('options') ?? ''
  if (url === null || ['options', ...OURS].every((name) => !url.searchParams.has(name)))
    return { connectionString: databaseUrl, options }
  for (const name of ['options', ...OURS]) url.searchParams.delete(name)
  return { connectionString: url.href, options }
}
