/** What the yardstick's processes are told by their environment. */
export const readSettings = () => ({
  databaseUrl: given('DATABASE_URL'),
  redisUrl: given('REDIS_URL'),
  darajaUrl: given('DARAJA_BASE_URL'),
  /** Where Daraja reaches the web process; the worker alone needs it. */
  publicUrl: process.env['PUBLIC_URL'] ?? '',
  /** Pushes to Daraja at once. */
  pushesAtOnce: Number(process.env['SUBMIT_CONCURRENCY'] ?? '32'),
  /** POSTs to partners at once. */
  deliveriesAtOnce: Number(process.env['DELIVERY_CONCURRENCY'] ?? '64'),
})

const given = (name: string): string => {
  const value = process.env[name]
  if (value === undefined) throw new Error(`${name} must be set`)
  return value
}
