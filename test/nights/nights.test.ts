import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findPromtool } from '../../scripts/check/promtool.ts'
import { ENDPOINT_NIGHTS } from './endpoint-nights.ts'
import { typeMarkedCommands } from './marked-commands.ts'
import { SHORT_NIGHTS, SLOW_NIGHTS } from './other-nights.ts'
import { type Played, playNight } from './play-night.ts'
import { openStage, type Stage } from './stage.ts'

const PROMTOOL = await findPromtool(join(import.meta.dirname, '..', '..'))
const WITHOUT = ['psql', 'curl'].filter((tool) => spawnSync(tool, ['--version']).status !== 0)

/** Why nothing can be played here; empty: it can. */
const missing = [
  ...(PROMTOOL.why === null ? [] : [PROMTOOL.why]),
  ...WITHOUT.map((tool) => `there is no ${tool}`),
]
const title = ['the runbooks', ...missing.map((why) => `NOT RUN, for ${why}`)].join(': ')

/** `all`: also those that take longer, and every other command. `show`: all, and what is printed. */
const asked = process.env['NIGHTS']

const NIGHTS = [...SHORT_NIGHTS, ...(asked ? [...ENDPOINT_NIGHTS, ...SLOW_NIGHTS] : [])]

/** As many as a person remembers at night. */
const MOST_COMMANDS = 6

let stage: Stage
const played: Played[] = []
const printed: string[] = []

describe.skipIf(missing.length > 0)(title, () => {
  beforeAll(async () => {
    stage = await openStage(PROMTOOL.file ?? '')
  })
  afterAll(async () => {
    await stage?.close()
    const lines = played.map(({ night, alert, commands, seconds }) =>
      [night.padEnd(38), alert.padEnd(30), `${commands} commands`, `${seconds.toFixed(1)} s`].join('  '),
    )
    if (asked) process.stdout.write(`\nFrom the alert until it is mended:\n${lines.join('\n')}\n`)
    if (asked === 'show') process.stdout.write(printed.join('\n'))
  })

  it.each(NIGHTS.map((night) => [night.name, night] as const))(
    '%s: mended by what is shown',
    async (_name, night) => {
      if (night.alert === 'GatewaySpoolDiskFills' && stage.disk === null) return
      const one = await playNight(stage, night)
      played.push(one)
      printed.push(`── ${one.night}`, one.printed)
      expect(one.commands).toBeLessThanOrEqual(MOST_COMMANDS)
    },
    150_000,
  )

  it.skipIf(!asked)(
    'show commands that all do what they say',
    async () => {
      const typed = await typeMarkedCommands(stage, printed.join('\n'))
      printed.push(...typed)
      expect(typed.filter((text) => text.includes('it ended with'))).toEqual([])
    },
    150_000,
  )
})
