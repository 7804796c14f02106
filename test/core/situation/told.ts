import { createReadSituation, type Situation } from '../../../src/core/situation/read-situation.ts'
import type { Sentence, SentenceName } from '../../../src/core/situation/sentence.ts'
import type { Database } from '../../../src/database/connect.ts'
import { systemClock } from '../../../src/runtime/clock.ts'

/** The situation, with nothing that a machine knows by itself. */
export const readTold = (database: Database): Promise<Situation> =>
  createReadSituation({
    overdueAfterMs: 900_000,
    readProcess: () => Promise.resolve({ spool: null, alarm: null }),
    clock: systemClock,
  })(database)

/** The sentences of a name. */
export const toldOf = async (database: Database, name: SentenceName): Promise<Sentence[]> =>
  (await readTold(database)).sentences.filter((one) => one.name === name)

/** The names of all sentences. */
export const namesOf = async (database: Database): Promise<SentenceName[]> =>
  (await readTold(database)).sentences.map(({ name }) => name)
