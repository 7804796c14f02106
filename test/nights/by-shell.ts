import type { Way } from './play-night.ts'
import { asThere, commandOf } from './runbook.ts'

/** Types what the section of the runbook shows. */
export const byShell: Way = {
  unit: 'commands',
  mend: async (stage, night, places) => {
    const typed: string[] = []
    let shown = ''
    for (const step of night.steps) {
      if (typeof step === 'string') {
        const command = await commandOf(night.runbook, step, typed)
        const own = asThere(command, places)
        shown += `$ ${own}\n${await stage.shell.type(own)}`
        typed.push(command)
      } else await step(stage)
    }
    return { count: typed.length, shown }
  },
  hasCleared: () => Promise.resolve(),
}
