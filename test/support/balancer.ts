import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

/** Stands before replicas, as a load balancer does. */
export type Balancer = {
  url: string
  /** New connections go to these ports in turn from now on; those that are open stay where they are. */
  leadTo(ports: readonly number[]): void
  close(): void
}

/** Opens a balancer that leads nowhere yet. */
export const openBalancer = async (): Promise<Balancer> => {
  let ports: readonly number[] = []
  let count = 0
  const server = createServer((incoming) => {
    count += 1
    const port = ports[count % ports.length]
    if (port === undefined) return incoming.destroy()
    const outgoing = connect({ host: '127.0.0.1', port })
    incoming.on('error', () => outgoing.destroy()).pipe(outgoing)
    outgoing.on('error', () => incoming.destroy()).pipe(incoming)
    return undefined
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    leadTo: (next) => {
      ports = next
    },
    close: () => void server.close(),
  }
}
