import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A way to a server that can be cut: a TCP proxy. */
export type TcpLink = {
  port: number
  /** Breaks every connection, at both ends. */
  cut(): void
  /** Breaks every connection and takes no new one, until `open`. */
  block(): void
  open(): void
  /** Leads new connections to another port from now on. */
  lead(port: number): void
  /** Swallows what either end says and ends nothing, on every connection that is there or comes, until `open`. */
  silence(): void
  close(): Promise<void>
}

/** Opens a port of `host` that leads to one of 127.0.0.1, where nothing need listen yet. */
export const openTcpLink = async (targetPort: number, host = '127.0.0.1'): Promise<TcpLink> => {
  const sockets = new Set<Socket>()
  let port = targetPort
  let isBlocked = false
  let isSilent = false

  const join = (near: Socket): void => {
    const far = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.setNoDelay(true)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
    near.pipe(far)
    far.pipe(near)
    if (isSilent) mute(near)
    if (isSilent) mute(far)
  }
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const mute = (socket: Socket): void => {
    socket.unpipe()
    socket.resume()
  }
  const server = createServer((near) => {
    if (isBlocked) near.resetAndDestroy()
    else join(near)
  })
  server.listen(0, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    block: () => {
      isBlocked = true
      cut()
    },
    lead: (to) => {
      port = to
    },
    open: () => {
      isBlocked = false
      isSilent = false
    },
    silence: () => {
      isSilent = true
      for (const socket of sockets) mute(socket)
    },
    close: async () => {
      server.close()
      cut()
      await once(server, 'close')
    },
  }
}

/** A way to a database that can be cut, and the database's URL that takes it. */
export type DatabaseLink = { link: TcpLink; url: string }

export const openDatabaseLink = async (databaseUrl: string): Promise<DatabaseLink> => {
  const url = new URL(databaseUrl)
  const link = await openTcpLink(Number(url.port || 5432))
  Object.assign(url, { hostname: '127.0.0.1', port: String(link.port) })
  return { link, url: url.href }
}
