import { CommandError } from './output.ts'

const MS_PER_UNIT: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Reads `90s`, `15m`, `24h` or `7d` as ms; `0s` is none. Throws a message that names the option when it is something else. */
export const readDuration = (name: string, text: string): number => {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (count === undefined) {
    throw new CommandError(`${name} must be a number and a unit, like 90s, 15m, 24h or 7d, not ${text}`)
  }
  return Number(count) * (MS_PER_UNIT[unit] ?? 0)
}
