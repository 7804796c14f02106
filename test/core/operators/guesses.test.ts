import { sql } from 'kysely'
import { expect, it, onTestFinished } from 'vitest'
import { countGuess, guesserByAddress, guesserByName } from '../../../src/core/operators/guesses.ts'
import { startForgettingCounts } from '../../../src/core/partners/forget-counts.ts'
import { openTestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { quietLog } from '../../support/quiet-log.ts'

it('guesses are forgotten a day after the last one, also where nobody ever signs in', async () => {
  const { database, close } = await openTestDatabase()
  onTestFinished(close)
  const guessers = [guesserByName('anne'), guesserByAddress('192.0.2.1'), guesserByAddress('192.0.2.2')]
  for (const guesser of guessers) await countGuess(database, guesser)
  await sql`
    UPDATE sign_in_guesses SET last_at = now() - interval '25 hours', wait_until = now() - interval '25 hours'
    WHERE guesser <> 'client 192.0.2.2'
  `.execute(database)
  const loop = startForgettingCounts({ database, log: quietLog })
  onTestFinished(() => loop.stop())
  await eventually(async () => {
    expect(await database.selectFrom('sign_in_guesses').select('guesser').execute()).toEqual([
      { guesser: 'client 192.0.2.2' },
    ])
  })
})
