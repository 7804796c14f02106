// The health of the process in this container: whatever listens for operators answers /healthz. Exits with 0 or 1.
const TIMEOUT_MS = 3_000

const { OPS_HOST, OPS_PORT, CONSOLE_HOST, CONSOLE_PORT } = process.env
// One image for every process: serve listens at 8081, dispatch at 8082, console at 8083, unless told otherwise.
const places = [
  ...(OPS_PORT ? [OPS_PORT] : ['8081', '8082']).map((port) => ({ host: OPS_HOST, port })),
  { host: CONSOLE_HOST, port: CONSOLE_PORT || '8083' },
]

const isAlive = async ({ host = '', port }) => {
  const address = ['', '0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host
  const url = new URL('http://address/healthz')
  url.hostname = address.includes(':') ? `[${address}]` : address
  url.port = port
  const answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => null)
  return answer?.ok === true
}

const alive = await Promise.all(places.map(isAlive))
process.exit(alive.includes(true) ? 0 : 1)
