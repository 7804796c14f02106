// `npm pack` runs this first: it writes to `dist` what Node and TypeScript take from the package.
import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const HERE = import.meta.dirname
const GENERATED = join(HERE, '..', '..', 'src', 'gen')
const DIST = join(HERE, 'dist')

/** Generated code of the contracts that callers have. */
const PACKAGES = ['mpesa', 'google']

/** What the gateway says to itself. */
const INTERNAL = /(?:daraja_callbacks|delivery_due)_pb\./

rmSync(DIST, { recursive: true, force: true })
execFileSync('tsc', ['--project', HERE], { stdio: 'inherit' })
for (const name of PACKAGES)
  cpSync(join(GENERATED, name), join(DIST, 'gen', name), {
    recursive: true,
    filter: (file) => !INTERNAL.test(file),
  })
