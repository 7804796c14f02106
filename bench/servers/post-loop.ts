import { Pool } from 'undici'

// The yardstick: what this machine can POST at best. So many loops in one process, each of which does nothing but POST the
// same body under the next id and read the answer; no database, no queue, no log. Told on standard input, a line of JSON each:
// `{"count":1000,"prefix":"a"}`; says `{"seconds":1.2,"failed":0}` when all were answered.

const [url = '', connectionsText = '1', body = ''] = process.argv.slice(2)
const connections = Number(connectionsText)
const pool = new Pool(url, { connections, allowH2: false })

const HEADERS = { 'content-type': 'application/json', 'user-agent': 'bench', 'webhook-attempt': '1' }

const run = async ({ count, prefix }: { count: number; prefix: string }): Promise<void> => {
  let sent = 0
  let failed = 0
  const loop = async (): Promise<void> => {
    while (sent < count) {
      sent += 1
      const headers = { ...HEADERS, 'webhook-id': `${prefix}_${sent}`, 'webhook-timestamp': '1780000000' }
      const answer = await pool.request({ method: 'POST', path: '/', headers, body })
      await answer.body.dump()
      if (answer.statusCode !== 200) failed += 1
    }
  }
  const beganMs = performance.now()
  await Promise.all(Array.from({ length: connections }, loop))
  const seconds = (performance.now() - beganMs) / 1000
  process.stdout.write(`${JSON.stringify({ seconds, failed })}\n`)
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`)
for await (const line of process.stdin.setEncoding('utf8')) await run(JSON.parse(String(line)))
