// Stands for a process of ours: `ready-then.ts wait` gets ready and waits for its parent or SIGTERM; `fail` ends before.
import { untilAskedToStop } from '../../../src/runtime/shutdown.ts'

process.stderr.write(`environment ${process.env['GATEWAY_TEST'] ?? 'none'}\n`)
if (process.argv[2] === 'fail') {
  process.stderr.write('HTTP_PORT must be a port\n')
  process.exitCode = 2
} else {
  const asked = untilAskedToStop({ withParent: process.env['GATEWAY_WITH_PARENT'] === '1' })
  const idle = setInterval(() => undefined, 60_000)
  process.stdout.write('{"ready":true}\n')
  process.stderr.write(`ended by ${await asked}\n`)
  clearInterval(idle)
}
