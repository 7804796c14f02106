import type { Running } from './running.ts'

/** The request to paste: works as it stands, and once more to see a duplicate answered. */
export const demoCurl = (running: Running, idempotencyKey: string): string =>
  [
    `curl -X POST "${running.http_url}/api/v1/mpesa/stk_push" \\`,
    '  -H "Content-Type: application/json" \\',
    `  -H "X-API-KEY: ${running.api_key}" \\`,
    `  -H "X-Idempotency-Key: ${idempotencyKey}" \\`,
    `  -d '{"phone":"254712345678","amount":150,"reference":"INV-2025-001","callback_url":"${running.receiver_url}/payment_callback"}'`,
  ].join('\n')

const table = (rows: readonly (readonly [string, string])[]): string =>
  rows.map(([name, value]) => `  ${name.padEnd(18)}${value}`).join('\n')

/** The text for the terminal when everything runs: where what is, and what to type next. */
export const banner = (options: {
  running: Running
  dataDir: string
  /** A part of the idempotency key that no earlier run used. */
  unique: string
}): string => {
  const { running } = options
  const simulator: [string, string][] =
    running.simulator_url === null
      ? []
      : [['Daraja simulator', `${running.simulator_url}  (its prompts: /_ledger)`]]
  return [
    `The M-PESA gateway runs on this machine. Its data is in ${options.dataDir}; Ctrl-C ends it.`,
    '',
    table([
      ['REST', `${running.http_url}/api/v1  (its description: ${running.http_url}/docs)`],
      ['gRPC', running.grpc_url],
      ['Connect', running.connect_url],
      ['health, metrics', `${running.ops_url}, dispatcher ${running.dispatcher_ops_url}`],
      ...simulator,
      ['receiver', `${running.receiver_url}  (what it got: /_received)`],
      ['Postgres', running.database_url],
      ['NATS', running.nats_url ?? 'none: the dispatcher works from Postgres alone'],
    ]),
    '',
    'Ask for a payment, in another terminal (the same once more is answered as a duplicate):',
    '',
    demoCurl(running, `demo-${options.unique}`),
    '',
    'Its callback will be shown here.',
    '',
  ].join('\n')
}
