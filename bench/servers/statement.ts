import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import { createOperatorClient } from '../../src/core/services/operator-client.ts'
import { statementMethods } from '../../src/core/services/statement-methods.ts'
import { createGivenReferences } from '../../src/core/statements/given-references.ts'
import { MOST_PART_BYTES } from '../../src/core/statements/uploads.ts'
import { connectDatabase } from '../../src/database/connect.ts'
import { StatementService } from '../../src/gen/mpesa/gateway/v1/statements_pb.js'
import { createLog } from '../../src/runtime/log.ts'

// Imports one statement as `serve` does, in a process of its own, and says what that took.
const [path = '', shortcode = ''] = process.argv.slice(2)
const log = createLog({ name: 'bench', level: 'warn' })
const databaseUrl = process.env['DATABASE_URL'] ?? ''
const database = connectDatabase({ databaseUrl, poolSize: 4, log, answerWithinMs: 30_000 })
const service = createOperatorClient({
  service: StatementService,
  methods: statementMethods,
  parts: {
    database,
    log,
    defaultAccount: () => ({ shortcode, partyB: shortcode }),
    openReferences: () => createGivenReferences({ secretKey: Buffer.alloc(32, 1), previousSecretKey: null }),
  },
  actor: { kind: 'operator', name: 'bench', from: 'bench' },
})
const idleKb = process.resourceUsage().maxRSS
const beganMs = performance.now()
const uploadId = randomUUID()
const file = await open(path)
for (let at = 0; ; ) {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(MOST_PART_BYTES), 0, MOST_PART_BYTES, at)
  if (bytesRead === 0) break
  await service.uploadStatementPart({ uploadId, at: BigInt(at), content: buffer.subarray(0, bytesRead) })
  at += bytesRead
}
await file.close()
const handedOverMs = performance.now()
const { statement, exceptions } = await service.importStatement({ uploadId, fileName: 'statement' })
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage()
const said = {
  lines: statement?.lines,
  exceptions: exceptions.reduce((sum, one) => sum + one.exceptions, 0),
  idle_mb: Math.round(idleKb / 1024),
  peak_mb: Math.round(maxRSS / 1024),
  cpu_s: Math.round((userCPUTime + systemCPUTime) / 1e6),
  upload_s: Math.round((handedOverMs - beganMs) / 1000),
  import_s: Math.round((performance.now() - handedOverMs) / 1000),
}
process.stdout.write(`${JSON.stringify(said)}\n`)
await database.destroy()
