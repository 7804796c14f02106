import { createServer } from 'node:net'
import { LocalProblem } from './problem.ts'

/** Listens on the port (0: the system chooses) for an instant; resolves with the port, or null when it is taken. */
const tryPort = (host: string, port: number): Promise<number | null> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.unref()
    server.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(null)
      else reject(error)
    })
    server.listen({ host, port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : null))
    })
  })

/** Whether this process could listen on the TCP port of the host now. */
export const isPortFree = async (options: { host: string; port: number }): Promise<boolean> =>
  (await tryPort(options.host, options.port)) !== null

/**
 * A TCP port that is free now: the preferred one when it is, else one that the system chooses, never one of `taken`. Nothing
 * holds it, so whoever listens on it must still be ready to find it taken.
 */
export const freePort = async (
  options: { host?: string; preferred?: number; taken?: ReadonlySet<number> } = {},
): Promise<number> => {
  const { host = '127.0.0.1', preferred, taken = new Set() } = options
  if (preferred !== undefined && !taken.has(preferred) && (await isPortFree({ host, port: preferred })))
    return preferred
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = await tryPort(host, 0)
    if (port !== null && !taken.has(port)) return port
  }
  throw new LocalProblem(`no free TCP port on ${host}`)
}
