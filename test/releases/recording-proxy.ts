import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { Agent, type Dispatcher, request as send } from 'undici'

/** A `serve` behind the proxy. */
export type Replica = { name: string; port: number }

/** What a replica answered, as far as tests look at it. */
export type Answer = { replica: string; isCallback: boolean; status: number; text: string }

/** What partners and Daraja call: stands before the replicas of both releases, and hands each request to the next of them. */
export type RecordingProxy = {
  port: number
  /** Requests of partners go to these in turn from now on, and callbacks to those. */
  leadTo(replicas: readonly Replica[], forCallbacks?: readonly Replica[]): void
  /** Lets callbacks wait at the proxy, and lets them in. */
  holdCallbacks(): void
  letCallbacksIn(): void
  waiting(): number
  /** Everything that was answered, in its order. */
  answers: Answer[]
  close(): Promise<void>
}

export const openRecordingProxy = async (): Promise<RecordingProxy> => {
  const agent = new Agent({ connections: 64 })
  const answers: Answer[] = []
  let replicas: { partners: readonly Replica[]; callbacks: readonly Replica[] } = {
    partners: [],
    callbacks: [],
  }
  let held: (() => void)[] | null = null
  let turn = 0

  const handOver = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const isCallback = request.url?.startsWith('/callbacks/') ?? false
    const body = await buffer(request)
    if (isCallback && held !== null) await new Promise<void>((letIn) => held?.push(letIn))
    const open = isCallback ? replicas.callbacks : replicas.partners
    turn += 1
    // Whoever listens no more has not taken the request: the next one may.
    for (let tried = 0; tried < open.length; tried += 1) {
      const replica = open[(turn + tried) % open.length]
      const answer = replica && (await passOn({ agent, replica, request, body }))
      if (!replica || !answer) continue
      answers.push({ replica: replica.name, isCallback, status: answer.status, text: answer.text })
      response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.text)
      return
    }
    response.writeHead(503).end()
  }

  const server = createServer((request, response) => {
    handOver(request, response).catch(() => request.socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    leadTo: (partners, callbacks = partners) => {
      replicas = { partners, callbacks }
    },
    holdCallbacks: () => {
      held ??= []
    },
    letCallbacksIn: () => {
      const waiting = held ?? []
      held = null
      for (const letIn of waiting) letIn()
    },
    waiting: () => held?.length ?? 0,
    answers,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await agent.destroy()
    },
  }
}

/** What the replica answered; null when nobody listens there. */
const passOn = async (call: {
  agent: Dispatcher
  replica: Replica
  request: IncomingMessage
  body: Buffer
}): Promise<{ status: number; text: string } | null> => {
  const { host: _host, connection: _connection, ...headers } = call.request.headers
  const answer = await send(`http://127.0.0.1:${call.replica.port}${call.request.url}`, {
    dispatcher: call.agent,
    method: call.request.method === 'POST' ? 'POST' : 'GET',
    headers,
    ...(call.body.length > 0 && { body: call.body }),
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') return null
    throw error
  })
  return answer && { status: answer.statusCode, text: await answer.body.text() }
}
