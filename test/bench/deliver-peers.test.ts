import { expect, it } from 'vitest'
import { startBenchReceiver } from '../../bench/support/receiver.ts'
import { startPeer } from '../../bench/support/server-process.ts'
import { createTestDatabase } from '../support/database.ts'

it.each(['graphile-worker', 'pg-boss'])('%s delivers what it is given', { timeout: 60_000 }, async (name) => {
  const database = await createTestDatabase()
  const receiver = await startBenchReceiver()
  const peer = await startPeer(`deliver/${name}`, { DATABASE_URL: database.url })
  try {
    const fill = { do: 'fill', count: 100, prefix: 'a', url: `${receiver.url}/callback`, body: '{}' }
    for (const order of [fill, { do: 'work' }]) await peer.ask(JSON.stringify(order))
    expect((await receiver.take()).size).toBe(100)
  } finally {
    await peer.stop()
    await receiver.stop()
    await database.drop()
  }
})
