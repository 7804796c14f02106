import { randomBytes } from 'node:crypto'
import { connect, type JetStreamManager, NatsError } from 'nats'
import { inject } from 'vitest'

const PREFIX = 'gateway-test'
/** Longer than any run of the suite takes. */
const OLD_AFTER_MS = 3_600_000

/** A stream name of a test file's own, for `NATS_STREAM`; the code under test makes the stream. */
export type TestStream = {
  readonly name: string
  readonly natsUrl: string
  /** Deletes the stream if it was made. */
  readonly delete: () => Promise<void>
}

const withManager = async (
  natsUrl: string,
  work: (manager: JetStreamManager) => Promise<void>,
): Promise<void> => {
  const connection = await connect({ servers: natsUrl })
  try {
    await work(await connection.jetstreamManager())
  } finally {
    await connection.close()
  }
}

const deleteStream = async (manager: JetStreamManager, name: string): Promise<void> => {
  try {
    await manager.streams.delete(name)
  } catch (error) {
    if (!(error instanceof NatsError) || error.api_error?.code !== 404) throw error
  }
}

export const createTestStream = (): TestStream => {
  const natsUrl = inject('natsUrl')
  const name = `${PREFIX}-${inject('testRun')}-${randomBytes(6).toString('hex')}`
  return { name, natsUrl, delete: () => withManager(natsUrl, (manager) => deleteStream(manager, name)) }
}

/** Deletes the streams that killed runs left on a NATS which is not ours. */
export const deleteOldStreams = (natsUrl: string): Promise<void> =>
  withManager(natsUrl, async (manager) => {
    for await (const { config, created } of manager.streams.list()) {
      const isOld = Date.now() - Date.parse(created) > OLD_AFTER_MS
      if (config.name.startsWith(`${PREFIX}-`) && isOld) await deleteStream(manager, config.name)
    }
  })
