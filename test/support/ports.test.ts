import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { lastingPort } from './ports.ts'

it('a lasting port is given to nobody else, though nothing listens there', async () => {
  const port = await lastingPort()
  const another = createSocket('udp4')
  const outcome = Promise.race([once(another, 'error'), once(another, 'listening')])
  another.bind({ address: '127.0.0.1', port, exclusive: true })
  expect(await outcome).toMatchObject([{ code: 'EADDRINUSE' }])
  another.close()
})
