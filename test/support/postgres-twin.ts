import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { z } from 'zod'
import type { PostgresInstallation } from '../../src/local/postgres.ts'

/** How a server sorts: the columns of `pg_database`, of which some are in some versions only. */
const collation = z.object({
  datcollate: z.string(),
  datctype: z.string(),
  datlocprovider: z.string(),
  daticulocale: z.string().nullish(),
  datlocale: z.string().nullish(),
})

const answer = z.object({ programs: z.string(), version: z.string(), collation })

/**
 * What starts another server like the one at the URL, which may be on another machine or closed to us: then null. The twin takes
 * whoever connects from this machine, as the one that was found takes us.
 */
export const findTwin = async (databaseUrl: string): Promise<PostgresInstallation | null> => {
  const found = await ask(databaseUrl).catch(() => null)
  if (found === null) return null
  const [initdb, postgres] = [join(found.programs, 'initdb'), join(found.programs, 'postgres')]
  for (const program of [initdb, postgres]) if (!(await isOfVersion(program, found.version))) return null
  return { initdb, postgres, initdbArgs: ['--auth=trust', ...collationArgs(found.collation)] }
}

const ask = async (databaseUrl: string): Promise<z.output<typeof answer>> => {
  const client = new Client({ connectionString: databaseUrl })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query(
      `SELECT (SELECT setting FROM pg_config WHERE name = 'BINDIR') AS programs,
              split_part(current_setting('server_version'), ' ', 1) AS version,
              (SELECT to_jsonb(pg_database) FROM pg_database WHERE datname = 'template0') AS collation`,
    )
    return answer.parse(rows[0])
  } finally {
    await client.end()
  }
}

/** `postgres (PostgreSQL) 15.4 (Debian 15.4-1)`. */
const isOfVersion = async (program: string, version: string): Promise<boolean> => {
  const { stdout } = await promisify(execFile)(program, ['--version']).catch(() => ({ stdout: '' }))
  return stdout.trim().split(' ')[2] === version
}

const collationArgs = (found: z.output<typeof collation>): string[] => {
  const libc = [`--lc-collate=${found.datcollate}`, `--lc-ctype=${found.datctype}`]
  if (found.datlocprovider === 'b')
    return [...libc, '--locale-provider=builtin', `--builtin-locale=${found.datlocale}`]
  if (found.datlocprovider === 'i')
    return [...libc, '--locale-provider=icu', `--icu-locale=${found.datlocale ?? found.daticulocale}`]
  return libc
}
