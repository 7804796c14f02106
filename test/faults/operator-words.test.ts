import { join } from 'node:path'
import { expect, it } from 'vitest'
import { connectDatabase } from '../../src/database/connect.ts'
import { type Typed, typeCommand } from '../support/command.ts'
import { createTestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'
import { findCrashPoints } from './crash-points.ts'
import { OPERATOR_WORDS, type OperatorWord } from './operator-words.ts'

const ROOT = join(import.meta.dirname, '..', '..')

/** Types something as an operator does, in a process that dies at a crash point where one is given. */
const type = ({ words, environment }: OperatorWord, databaseUrl: string, crashAt = ''): Promise<Typed> =>
  typeCommand(words, { ...environment, DATABASE_URL: databaseUrl, CRASH_AT: crashAt })

const POINTS = (await findCrashPoints(ROOT)).filter(({ command }) => command === 'operator')

it.concurrent.each(POINTS.map(({ name }) => [name]))(
  'an operator’s command that is killed at %s is done whole or not at all, and may be repeated',
  async (name) => {
    const word = OPERATOR_WORDS[name.split('.')[0] ?? '']
    if (word === undefined) throw new Error(`operator-words.ts does not say how to come to ${name}`)
    const { url, drop } = await createTestDatabase()
    const database = connectDatabase({ databaseUrl: url, poolSize: 1, log: quietLog })
    try {
      await word.prepare(database)
      expect(await type(word, url, name)).toMatchObject({ signal: 'SIGKILL' })
      await type(word, url)
      expect(await word.read(database)).toEqual(word.expected)
    } finally {
      await database.destroy()
      await drop()
    }
  },
)
