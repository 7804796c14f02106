import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { eventually } from '../support/eventually.ts'
import { quietLog } from '../support/quiet-log.ts'
import { openTcpLink } from '../support/tcp-link.ts'
import { makePlan, seededRandom } from './plan.ts'
import { finish } from './run-seed.ts'
import { startOwnServices } from './services.ts'
import { type FaultStage, startStage } from './stage.ts'
import { startStandby } from './standby.ts'

/** How many payments are answered after an asynchronous standby has heard its last: what is lost for certain. */
const LOST = 15

/** How long a loaded machine may take to go on, ms. */
const PATIENCE_MS = 60_000

/** A deployment whose primary was killed under load and whose standby has taken over, when all is quiet. */
export type FailedOver = {
  stage: FaultStage
  /** The standby, which is the primary now. */
  database: Database
  /** What kept running from before the fail-over until everything had settled, ended by itself or met a defect: nothing. */
  ended: string[]
  /** From the kill of the primary until the standby took writes, and until the first payment was answered, ms. */
  promotedInMs: number
  answeredInMs: number
  /** How long it took until nothing was left to be done, ms. */
  finishedInMs: number
}

/**
 * Plays the wishes of a plan, kills the primary in the middle and promotes the standby, to which the fixed address then leads;
 * and gives `look` what has become of it. Asynchronous, the standby hears nothing any more a while before.
 */
export const playFailOver = async <Result>(
  options: { seed: number; seconds: number; isSynchronous: boolean },
  look: (after: FailedOver) => Promise<Result>,
): Promise<Result> => {
  await using open = new AsyncDisposableStack()
  const services = open.adopt(await startOwnServices(), (one) => one.close())
  const name = `failover_${options.seed}_${process.pid}`
  const random = seededRandom(options.seed)
  const stage = open.adopt(await startStage({ services, name, random }), (one) => one.close())
  const replication = open.adopt(await openTcpLink(services.postgres.port), (one) => one.close())
  const standby = open.adopt(
    await startStandby({
      primaryUrl: services.postgres.url,
      primaryFolder: services.postgres.folder,
      folder: join(services.folder, 'standby'),
      streamFrom: replication.port,
    }),
    (one) => one.stop(),
  )
  if (options.isSynchronous) await standby.makeSynchronous()

  const asked = makePlan(options.seed, options.seconds).wishes.flatMap((wish) =>
    Array.from({ length: wish.times }, () => pause(wish.atMs).then(() => stage.client.ask(wish))),
  )
  const { answered } = stage.client
  await pause(options.seconds * 500)
  if (!options.isSynchronous) {
    replication.block()
    const heard = answered.size
    await eventually(() => expect(answered.size).toBeGreaterThan(heard + LOST), PATIENCE_MS)
  }
  const { postgres } = stage.links
  postgres.block()
  await services.postgres.end('kill')
  const killedMs = performance.now()
  await standby.promote()
  const promotedInMs = Math.round(performance.now() - killedMs)
  const before = answered.size
  postgres.lead(standby.port)
  postgres.open()
  await eventually(() => expect(answered.size).toBeGreaterThan(before), PATIENCE_MS)
  const answeredInMs = Math.round(performance.now() - killedMs)

  await Promise.all(asked)
  const database = open.adopt(
    connectDatabase({ databaseUrl: standby.url(name), poolSize: 3, log: quietLog }),
    (one) => one.destroy(),
  )
  // The same processes go on to tell, too.
  const delivered = stage.world.receiver.received.length
  await eventually(() => expect(stage.world.receiver.received.length).toBeGreaterThan(delivered), PATIENCE_MS)
  const ended = [...stage.wrongEnds(), ...stage.defects()]
  const finishedInMs = await finish({ ...stage, database }, asked)
  return await look({ stage, database, ended, promotedInMs, answeredInMs, finishedInMs })
}
