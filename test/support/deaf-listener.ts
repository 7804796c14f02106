import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { expect } from 'vitest'
import { eventually } from './eventually.ts'

/** An address at which handshakes get lost, as on a bad network, until it is told to listen. */
export type DeafListener = {
  port: number
  /** Resolves when somebody's handshake has lost its first packet here. */
  isMissed(): Promise<void>
  /** From now on handshakes succeed, also those whose first packet was lost: the caller's system sends it again a second later. */
  hear(): void
  close(): Promise<void>
}

/** Answers 200, and has room for no more than the connections that fill it. */
const SERVER = `
const server = require('node:http').createServer((request, response) => response.end('heard'))
server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => process.stdout.write(String(server.address().port)))
`

/** How many fill a queue for which 1 was asked: Linux takes one more. */
const FILL = 2

/**
 * Why it works on Linux only: a listener whose process is stopped accepts nothing, and once its queue is full Linux drops what
 * asks for more without a word.
 */
export const CAN_BE_DEAF = process.platform === 'linux'

export const startDeafListener = async (): Promise<DeafListener> => {
  const child = spawn(process.execPath, ['-e', SERVER], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(printed.toString())
  child.kill('SIGSTOP')
  const fillers = await Promise.all(Array.from({ length: FILL }, () => fill(port)))
  return {
    port,
    isMissed: () => eventually(async () => expect(await isAsking(port)).toBe(true)),
    hear: () => void child.kill('SIGCONT'),
    close: async () => {
      for (const socket of fillers) socket.destroy()
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

const fill = async (port: number): Promise<Socket> => {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** True while a connection to the port is in the state SYN_SENT: the packet left, and nothing came back. */
const isAsking = async (port: number): Promise<boolean> => {
  const peer = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const table = await readFile('/proc/net/tcp', 'utf8')
  return table.split('\n').some((line) => line.includes(` ${peer} 02 `))
}
