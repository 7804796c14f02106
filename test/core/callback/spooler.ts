import { writeSync } from 'node:fs'
import { openSpool } from '../../../src/core/callback/spool.ts'
import { createLog } from '../../../src/runtime/log.ts'
import { newCallbackId, received } from './received.ts'

// A process that spools until it is killed, and tells each id once it is durable.
const spool = await openSpool({
  folder: process.argv[2] ?? '',
  newId: newCallbackId,
  log: createLog({ name: 'spooler', level: 'silent' }),
})

const spoolOn = async (): Promise<void> => {
  for (;;) {
    const callback = received({ body: Buffer.alloc(3_000, 'x') })
    await spool.add(callback)
    writeSync(1, `${callback.id}\n`)
  }
}

await Promise.all(Array.from({ length: 20 }, spoolOn))
