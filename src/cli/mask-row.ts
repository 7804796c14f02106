import { createRedact } from '../runtime/redact.ts'

const redact = createRedact()

/** A row as it is shown to whoever has not asked for more: without anything in its texts that must not be read whole. */
export const maskRow = <Row extends object>(row: Row): Row => {
  const fields = Object.entries(row).map(([name, value]) => [
    name,
    typeof value === 'string' ? redact(value) : value,
  ])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same fields, of the same types
  return Object.fromEntries(fields) as Row
}
