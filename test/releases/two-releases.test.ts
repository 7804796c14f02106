import { beforeAll, describe, expect, it, type TestContext } from 'vitest'
import { connectDatabase } from '../../src/database/connect.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { createTestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'
import { runStatement } from '../support/test-run.ts'
import { BREAKING_MIGRATIONS, withMigration } from './breaking-migrations.ts'
import { playBreakingMigration, playTwoReleases } from './play-two-releases.ts'
import { type Found, findPreviousRelease } from './previous-release.ts'
import { PRESENT, type Startable, takeRelease } from './release-sources.ts'
import { contractionsOf, readShape, type SchemaShape } from './schema-shape.ts'
import { openStage, type Stage, startLoad } from './two-releases-stage.ts'

/** What every row of the release before fulfils: its partners' ids are positive, and its accounts' from 0 up. */
const ALWAYS_FULFILLED =
  /: payments CHECK \(\s*CASE\s+WHEN \(partner_id < 0\) THEN \(account_id = partner_id\)/

describe('the release before and this one, on one database', { timeout: 600_000 }, () => {
  let found: Found
  let old: Startable | null = null

  beforeAll(async () => {
    found = await findPreviousRelease()
    if (found.kind === 'found') old = await takeRelease(found.release)
  }, 180_000)

  /** The stage, with the release before on it; where its sources cannot be had, the report says why. */
  const stageWith = (context: TestContext, next: Startable): Promise<Stage> => {
    if (found.kind === 'missing') context.skip(found.reason)
    return openStage({ old: old ?? PRESENT, new: next })
  }

  const shapeAt = async (databaseUrl: string): Promise<SchemaShape> => {
    const database = connectDatabase({ databaseUrl, poolSize: 1, log: quietLog })
    try {
      return await readShape(database)
    } finally {
      await database.destroy()
    }
  }

  it('go up and back again under load: all is there, prompted once, delivered once it is known, never an internal error', async (context) => {
    await using stack = new AsyncDisposableStack()
    const stage = stack.adopt(await stageWith(context, PRESENT), (one) => one.close())
    const { problems, served, ...ledgers } = await playTwoReleases(stage)
    process.stdout.write(
      `releases ${found.kind === 'found' ? found.release.version : ''}: ${JSON.stringify({ served, ...ledgers })}\n`,
    )
    expect(problems).toEqual([])
    expect(ledgers).toMatchObject({ lost: 0, promptedTwice: 0 })
  })

  it('the schema takes nothing away from the release before, and demands nothing of it', async (context) => {
    await using stack = new AsyncDisposableStack()
    const stage = stack.adopt(await stageWith(context, PRESENT), (one) => one.close())
    const before = await shapeAt(stage.databaseUrl)
    await migrateToLatest({ databaseUrl: stage.databaseUrl, log: quietLog })
    const contractions = contractionsOf(before, await shapeAt(stage.databaseUrl))
    expect(contractions.filter((one) => !ALWAYS_FULFILLED.test(one))).toEqual([])
  })

  it.each(BREAKING_MIGRATIONS)('a migration that $name is found in the schema', async (migration) => {
    await using stack = new AsyncDisposableStack()
    const own = stack.adopt(await createTestDatabase(), (one) => one.drop())
    const before = await shapeAt(own.url)
    await runStatement(own.url, migration.statement)
    expect(contractionsOf(before, await shapeAt(own.url))).toEqual(migration.contractions)
  })

  it.each(BREAKING_MIGRATIONS.filter(({ breaks }) => breaks !== null))(
    'a migration that $name is found under load',
    async (migration) => {
      await using stack = new AsyncDisposableStack()
      const sources = stack.adopt(await withMigration(migration), (one) => one.delete())
      const stage = stack.adopt(await openStage({ old: old ?? PRESENT, new: sources }), (one) => one.close())
      const load = startLoad(stage)
      stack.defer(() => load.end())
      await expect(playBreakingMigration(stage)).rejects.toThrow(migration.breaks ?? '')
    },
  )
})
