// The health of the process in this container: whatever listens for operators answers /healthz. Exits with 0 or 1.
const TIMEOUT_MS = 3_000

const { OPS_HOST = '', OPS_PORT } = process.env
// One image for every process: serve listens at 8081, dispatch at 8082, console at 8084, unless told otherwise.
const ports = OPS_PORT ? [OPS_PORT] : ['8081', '8082', '8084']

const isAlive = async (port) => {
  const address = ['', '0.0.0.0', '::'].includes(OPS_HOST) ? '127.0.0.1' : OPS_HOST
  const url = new URL('http://address/healthz')
  url.hostname = address.includes(':') ? `[${address}]` : address
  url.port = port
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => null)
  return answer?.ok === true
}

const alive = await Promise.all(ports.map(isAlive))
process.exit(alive.includes(true) ? 0 : 1)
