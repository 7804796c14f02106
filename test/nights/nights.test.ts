import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findPromtool } from '../../scripts/check/promtool.ts'
import { findChromium } from '../support/browser.ts'
import { type NightConsole, openNightConsole } from './by-console.ts'
import { byShell } from './by-shell.ts'
import { ENDPOINT_NIGHTS } from './endpoint-nights.ts'
import { typeMarkedCommands } from './marked-commands.ts'
import { SHORT_NIGHTS, SLOW_NIGHTS } from './other-nights.ts'
import { type Night, type Played, playNight } from './play-night.ts'
import { openStage, type Stage } from './stage.ts'

const PROMTOOL = await findPromtool(join(import.meta.dirname, '..', '..'))
const CHROMIUM = await findChromium()
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
const MOST = { commands: 6, clicks: 10 }

/** Seconds. */
const TWO_MINUTES = 120

let stage: Stage
let console: NightConsole | null = null
const played: (Played & { by: string; unit: string })[] = []
const printed: string[] = []

describe.skipIf(missing.length > 0)(title, () => {
  beforeAll(async () => {
    stage = await openStage(PROMTOOL.file ?? '')
    if (CHROMIUM !== null) console = await openNightConsole(stage, CHROMIUM)
  })
  afterAll(async () => {
    await console?.close()
    await stage?.close()
    const lines = played.map(({ by, night, alert, count, unit, seconds }) =>
      [
        by.padEnd(8),
        night.padEnd(38),
        alert.padEnd(27),
        `${count} ${unit}`.padEnd(11),
        `${seconds.toFixed(1)} s`,
      ].join('  '),
    )
    if (asked) process.stdout.write(`\nFrom the alert until it is mended:\n${lines.join('\n')}\n`)
    if (asked === 'show') process.stdout.write(printed.join('\n'))
  })

  const play = async (by: 'shell' | 'console', night: Night): Promise<void> => {
    if (night.alert === 'GatewaySpoolDiskFills' && stage.disk === null) return
    const way = by === 'shell' ? byShell : console?.way
    if (way === undefined) throw new Error('there is no console')
    const one = await playNight(stage, night, way)
    played.push({ ...one, by, unit: way.unit })
    printed.push(`══ by ${by}: ${one.night}`, one.shown)
    expect(one.count).toBeLessThanOrEqual(MOST[way.unit])
    expect(one.seconds).toBeLessThan(TWO_MINUTES)
  }

  it.each(NIGHTS)('$name: mended at the shell by what is shown', (night) => play('shell', night), 150_000)

  it.skipIf(CHROMIUM === null).each(NIGHTS)(
    '$name: mended in the console by what is shown',
    (night) => play('console', night),
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
